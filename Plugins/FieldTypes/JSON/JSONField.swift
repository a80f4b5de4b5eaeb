import PluginKit

/// Any JSON document. The text of a document stays as it was sent, but for white space; a text that is none becomes a
/// string.
struct JSONField: FieldType {
    static let id = "json"
    static let settings: [FieldSetting] = [.string("help"), .integer("maxSize"), .bool("required")]

    /// In bytes.
    private let maxSize: Int
    private let isRequired: Bool

    init(_ settings: FieldSettings) {
        let limit = settings.integer("maxSize")
        maxSize = limit <= 0 ? 1 << 20 : limit
        isRequired = settings.bool("required")
    }

    var shape: FieldShape {
        var shape = FieldShape(column: "JSON DEFAULT NULL", form: .json, zero: .null)
        shape.maxBodySize = maxSize
        return shape
    }

    func normalise(_ value: BorrowedValue) -> Normalised {
        if value.isJSON || value.isNull { return .unchanged }
        if !value.isText { return .changed(.json(value.asJSON.serialized())) }
        // Forms carry texts only, so a text may be a document; one that does not begin like a document is a string.
        switch value.utf8.first ?? 0 {
        case 0x30...0x39, UInt8(ascii: "-"), UInt8(ascii: "\""), UInt8(ascii: "["), UInt8(ascii: "{"):
            if let document = JSONScanner.compact(value.utf8) { return Self.checked(document) }
        case UInt8(ascii: "t"), UInt8(ascii: "f"), UInt8(ascii: "n"):
            if let text = value.text, ["true", "false", "null"].contains(text) { return .changed(.json(text)) }
        default: break
        }
        return Self.checked(GoQuote.quote(value.utf8))
    }

    /// A document, or the text left as it is when it only looks like one (a key that is there twice, a number beyond all
    /// bounds): `validate` refuses texts.
    private static func checked(_ document: String) -> Normalised {
        (try? JSONParser.parse(document)) == nil ? .unchanged : .changed(.json(document))
    }

    func validate(_ value: BorrowedValue, in context: FieldContext) throws {
        let utf8 = value.utf8
        if utf8.count > maxSize {
            throw Failure(
                "validation_json_size_limit", "The maximum allowed JSON size is {{.maxSize}} bytes",
                params: ["maxSize": .number(Double(maxSize))])
        }
        // What comes as JSON is valid by the ABI.
        guard value.isJSON || value.isNull else {
            throw Failure("validation_invalid_json", "Must be a valid json value")
        }
        if isRequired, utf8.count < 5, value.isNull || Self.empty.contains(where: utf8.elementsEqual) {
            throw Failure.required
        }
    }

    private static let empty: [String.UTF8View] = ["null".utf8, "\"\"".utf8, "[]".utf8, "{}".utf8]

    static func validateSettings(_ check: SettingsCheck) {
        check.help()
        check.min("maxSize", 0)
        check.max("maxSize")
    }
}
