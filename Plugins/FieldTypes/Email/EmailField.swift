// Email
