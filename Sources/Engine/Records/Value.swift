package import JSON

/// A field's value as the engine, SQLite and the plugin ABI (`roost_value`) see it.
///
/// Everything that is not a scalar is JSON text, so that a list or an object crosses the plugin boundary, is bound to a
/// statement and is written into an answer without being taken apart.
package enum Value: Sendable, Equatable {
    case null
    case bool(Bool)
    case number(Double)
    case text(String)
    /// A JSON document, already valid and compact.
    case json(String)
}

extension Value {
    /// Texts are the same when their bytes are: what only looks alike (é and e with an accent) is another value to store.
    package static func == (left: Value, right: Value) -> Bool {
        switch (left, right) {
        case (.null, .null): true
        case (.bool(let left), .bool(let right)): left == right
        case (.number(let left), .number(let right)): left == right
        case (.text(let left), .text(let right)), (.json(let left), .json(let right)):
            left.utf8.count == right.utf8.count && left.utf8.elementsEqual(right.utf8)
        default: false
        }
    }

    /// The value that a request's JSON carries. Arrays and objects become `.json`.
    package init(_ json: JSON) {
        switch json {
        case .null: self = .null
        case .bool(let value): self = .bool(value)
        case .number(let value): self = .number(value)
        case .string(let value): self = .text(value)
        // Go's maps are written with their keys sorted, and so are stored documents.
        case .array, .object: self = .json(json.sortedKeys().serialized())
        }
    }

    /// The JSON that this value stands for; a `.json` text that does not parse is null.
    package var asJSON: JSON {
        switch self {
        case .null: .null
        case .bool(let value): .bool(value)
        case .number(let value): .number(value)
        case .text(let value): .string(value)
        case .json(let text): (try? JSONParser.parse(text)) ?? .null
        }
    }

    /// The text of a `.text`, otherwise nil.
    package var textValue: String? {
        if case .text(let value) = self { value } else { nil }
    }

    /// The strings of a list field: the members of a JSON array, a single non-empty text, or nothing.
    package var strings: [String] {
        switch self {
        case .text(let value): value.isEmpty ? [] : [value]
        case .json: asJSON.arrayValue?.compactMap(\.stringValue) ?? []
        case .null, .bool, .number: []
        }
    }

    /// Whether PocketBase calls the value empty: nothing, "", 0, false, `[]`, `{}`, `null`, `""`.
    package var isEmpty: Bool {
        switch self {
        case .null: true
        case .bool(let value): !value
        case .number(let value): value == 0
        case .text(let value): value.isEmpty
        case .json(let value): value.isEmpty || value == "[]" || value == "{}" || value == "null" || value == "\"\""
        }
    }
}
