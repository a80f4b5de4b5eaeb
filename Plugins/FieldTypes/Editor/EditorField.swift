import PluginKit

/// HTML from a rich text editor. The server stores it as it is.
struct EditorField: FieldType {
    static let id = "editor"
    static let settings: [FieldSetting] = [
        .bool("convertURLs"), .string("help"), .integer("maxSize"), .bool("required"),
    ]

    /// In bytes.
    private let maxSize: Int
    private let isRequired: Bool

    init(_ settings: FieldSettings) {
        let limit = settings.integer("maxSize")
        maxSize = limit <= 0 ? 5 << 20 : limit
        isRequired = settings.bool("required")
    }

    var shape: FieldShape {
        var shape = FieldShape.text()
        shape.maxBodySize = maxSize
        return shape
    }

    func normalise(_ value: BorrowedValue) -> Normalised { Cast.normalisedText(value) }

    func validate(_ value: BorrowedValue, in context: FieldContext) throws {
        guard value.isText else { throw Failure.unsupportedValue }
        if isRequired, value.utf8.isEmpty { throw Failure.required }
        if value.utf8.count > maxSize {
            throw Failure(
                "validation_content_size_limit", "The maximum allowed content size is {{.maxSize}} bytes",
                params: ["maxSize": .number(Double(maxSize))])
        }
    }

    static func validateSettings(_ check: SettingsCheck) {
        check.help()
        check.min("maxSize", 0)
        check.max("maxSize")
    }
}
