import PluginKit

/// Longitude and latitude in degrees. 0, 0 is what PocketBase calls empty.
struct GeoPointField: FieldType {
    static let id = "geoPoint"
    static let settings: [FieldSetting] = [.string("help"), .bool("required")]

    private let isRequired: Bool

    init(_ settings: FieldSettings) { isRequired = settings.bool("required") }

    var shape: FieldShape {
        FieldShape(column: #"JSON DEFAULT '{"lon":0,"lat":0}' NOT NULL"#, form: .json, zero: GeoPoint().value)
    }

    func normalise(_ value: BorrowedValue) -> Normalised {
        let point = GeoPoint(value)
        if value.isJSON, case .json(let text) = point.value, value.utf8.elementsEqual(text.utf8) { return .unchanged }
        return .changed(point.value)
    }

    func validate(_ value: BorrowedValue, in context: FieldContext) throws {
        let point = GeoPoint(value)
        if point.lon == 0, point.lat == 0 {
            if isRequired { throw Failure.required }
            return
        }
        if !(-90...90).contains(point.lat) {
            throw Failure("validation_invalid_latitude", "Latitude must be between -90 and 90 degrees.")
        }
        if !(-180...180).contains(point.lon) {
            throw Failure("validation_invalid_longitude", "Longitude must be between -180 and 180 degrees.")
        }
    }

    static func validateSettings(_ check: SettingsCheck) { check.help() }
}

/// A point as it is read from whatever was sent.
struct GeoPoint {
    var lon = 0.0
    var lat = 0.0

    init() {}

    /// Takes `lon` and `lat` out of an object up to the first that is no number.
    init(_ value: BorrowedValue) {
        guard value.isJSON || value.isText, value.utf8.first != nil else { return }
        // A text may be cut off; what came before counts, as it does in PocketBase.
        let tree = (try? JSONParser.parse(value.utf8)) ?? Self.repaired(value.utf8)
        guard case .object(let object)? = tree else { return }
        for (key, member) in object where key == "lon" || key == "lat" {
            if member.isNull { continue }
            guard let number = member.numberValue else { return }
            if key == "lon" { lon = number } else { lat = number }
        }
    }

    var value: Value {
        var writer = JSONWriter(capacity: 40)
        writer.beginObject()
        writer.key(plain: "lon")
        writer.double(lon)
        writer.key(plain: "lat")
        writer.double(lat)
        writer.endObject()
        return .json(String(decoding: writer.bytes, as: UTF8.self))
    }

    /// The object at the beginning of a text that goes on with something else or lacks its end. A key that is there
    /// twice counts the first time.
    private static func repaired(_ utf8: UnsafeBufferPointer<UInt8>) -> JSON? {
        if let tree = try? JSONParser.parse(utf8, options: .init(allowTrailing: true)) { return tree }
        // Whoever cuts a point off has not sent a book before.
        guard utf8.count <= 4096 else { return nil }
        let bytes = Array(utf8)
        var end = bytes.count
        for _ in 0..<16 where end > 0 {
            if let tree = try? JSONParser.parse(Array(bytes[..<end]) + [UInt8(ascii: "}")]) { return tree }
            guard let comma = bytes[..<end].lastIndex(of: UInt8(ascii: ",")) else { return nil }
            end = comma
        }
        return nil
    }
}
