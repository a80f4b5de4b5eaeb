// GeoPoint
