/// Why a text is not the JSON that was asked for.
public struct JSONError: Error, Sendable, Equatable, CustomStringConvertible {
    /// What is wrong.
    public enum Reason: Sendable, Equatable {
        /// The text ends inside a value, or there is none.
        case unexpectedEnd
        /// A byte that cannot stand where it does.
        case unexpectedByte(UInt8)
        /// A number not written as RFC 8259 has it.
        case invalidNumber
        /// A number too large for a double.
        case numberOutOfRange
        /// A byte below 0x20 inside a string.
        case controlCharacter
        /// A backslash sequence that JSON does not have.
        case invalidEscape
        /// A `\u` escape of half a surrogate pair.
        case loneSurrogate
        /// Bytes that are not UTF-8.
        case invalidUTF8
        /// A key that the object already has.
        case duplicateKey
        /// A run of combining marks that takes long to compare, where that was not wanted.
        case longMarks
        /// Arrays and objects nested deeper than allowed.
        case tooDeep
        /// Something other than white space after the value.
        case trailingData
    }

    /// The place in the text, in bytes from its start.
    public var offset: Int

    /// What is wrong there.
    public var reason: Reason

    public init(offset: Int, reason: Reason) {
        self.offset = offset
        self.reason = reason
    }

    public var description: String {
        let text =
            switch reason {
            case .unexpectedEnd: "unexpected end of JSON input"
            case .unexpectedByte(let byte):
                byte > 0x20 && byte < 0x7F
                    ? "unexpected character '\(Character(Unicode.Scalar(byte)))'"
                    : "unexpected byte 0x\(String(byte, radix: 16))"
            case .invalidNumber: "invalid number"
            case .numberOutOfRange: "number out of range"
            case .controlCharacter: "control character in a string"
            case .invalidEscape: "invalid escape in a string"
            case .loneSurrogate: "lone surrogate in a string"
            case .invalidUTF8: "invalid UTF-8"
            case .duplicateKey: "duplicate key"
            case .longMarks: "too many combining marks in a row"
            case .tooDeep: "nested too deep"
            case .trailingData: "data after the value"
            }
        return "\(text) at offset \(offset)"
    }
}
