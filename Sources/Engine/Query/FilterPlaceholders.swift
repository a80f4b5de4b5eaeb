package import JSON

/// `{:name}` in a filter, filled with a value as a literal of the language.
package enum FilterPlaceholders {
    /// - Parameter parameters: by their names; what has none stays as it is.
    package static func fill(_ filter: String, _ parameters: JSONObject) -> String {
        guard !parameters.isEmpty, filter.contains("{:") else { return filter }
        var filled = ""
        var rest = filter[...]
        while let open = rest.firstRange(of: "{:") {
            filled += rest[..<open.lowerBound]
            guard let close = rest[open.upperBound...].firstIndex(of: "}"),
                let value = parameters[String(rest[open.upperBound..<close])]
            else {
                filled += "{:"
                rest = rest[open.upperBound...]
                continue
            }
            filled += literal(value)
            rest = rest[rest.index(after: close)...]
        }
        return filled + rest
    }

    private static func literal(_ value: JSON) -> String {
        switch value {
        case .null: "null"
        case .bool(let value): value ? "true" : "false"
        case .number: value.serialized()
        case .string(let text): quoted(text)
        case .array, .object: quoted(value.serialized())
        }
    }

    private static func quoted(_ text: String) -> String {
        // By bytes, as the language is read: to Swift a quote with a combining mark is another character. A NUL ends a
        // query; no value that is stored has one, so that U+FFFD in its place finds as little.
        var literal = Array("'".utf8)
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "'"), UInt8(ascii: "\\"), UInt8(ascii: "\""): literal += [UInt8(ascii: "\\"), byte]
            case 0: literal += "\u{FFFD}".utf8
            default: literal.append(byte)
            }
        }
        return String(decoding: literal + "'".utf8, as: UTF8.self)
    }
}
