// AutoDate
