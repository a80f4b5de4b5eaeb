// Bool
