// Date
