/// Why a filter, rule or sort makes no query, in PocketBase's words: whoever saves a rule is shown the reason. A client
/// that filters and sorts is told no more than PocketBase tells.
package struct QueryError: Error, Sendable, Equatable, CustomStringConvertible {
    package let reason: String

    init(_ reason: String) { self.reason = reason }

    package var description: String { reason }

    /// A text in double quotes, with escapes as Go writes them.
    static func quote(_ text: String) -> String {
        var result = "\""
        for character in text.unicodeScalars {
            switch character {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\r": result += "\\r"
            case "\t": result += "\\t"
            case _ where character.value < 0x20 || character.value == 0x7F:
                let digits = String(character.value, radix: 16)
                result += "\\x" + (digits.count < 2 ? "0" : "") + digits
            default: result.unicodeScalars.append(character)
            }
        }
        return result + "\""
    }

    /// What a client sees of it.
    package var serviceError: ServiceError { .badRequest() }
}
