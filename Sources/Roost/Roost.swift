// Roost
