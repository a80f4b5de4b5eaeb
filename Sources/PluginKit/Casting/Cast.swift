internal import Glibc

/// The silent coercion of PocketBase, which is that of Go's spf13/cast on values decoded from JSON: whatever comes in,
/// something comes out, and what makes no sense becomes the zero value.
public enum Cast {
    // MARK: Text

    /// Text stays, numbers are written without exponent, true and false by name; lists, objects and null are "".
    public static func text(_ value: BorrowedValue) -> String {
        if value.isText { return String(decoding: value.utf8, as: UTF8.self) }
        if let number = value.number { return text(number) }
        if let bool = value.bool { return bool ? "true" : "false" }
        return value.isJSON ? text(value.asJSON) : ""
    }

    public static func text(_ value: JSON) -> String {
        switch value {
        case .string(let text): text
        case .number(let number): text(number)
        case .bool(let bool): bool ? "true" : "false"
        case .null, .array, .object: ""
        }
    }

    /// A text value as a field's: unchanged when it is text already.
    public static func normalisedText(_ value: BorrowedValue) -> Normalised {
        value.isText ? .unchanged : .changed(.text(text(value)))
    }

    /// The shortest digits that read back as the same number, never with an exponent.
    public static func text(_ number: Double) -> String {
        // Beyond 2^53 an integer's digits are not its shortest ones.
        if let integer = Int64(exactly: number), integer.magnitude <= 1 << 53, integer != 0 || number.sign == .plus {
            return String(integer)
        }
        if number.isNaN { return "NaN" }
        if number.isInfinite { return number < 0 ? "-Inf" : "+Inf" }
        // Swift's description has the same shortest digits, with an exponent for the large and the small.
        let description = number.description
        guard let mark = description.firstIndex(where: { $0 == "e" }) else {
            return description.hasSuffix(".0") ? String(description.dropLast(2)) : description
        }
        let exponent = Int(description[description.index(after: mark)...]) ?? 0
        let mantissa = description[..<mark]
        let sign = mantissa.hasPrefix("-") ? "-" : ""
        let digits = mantissa.filter { $0.isNumber }
        let point =
            (mantissa.firstIndex(of: ".").map { mantissa[..<$0].filter(\.isNumber).count } ?? digits.count)
            + exponent
        // "1.0" has a digit that says nothing.
        let significant = mantissa.hasSuffix(".0") ? String(digits.dropLast()) : digits
        if point <= 0 { return sign + "0." + String(repeating: "0", count: -point) + significant }
        if point >= significant.count {
            return sign + significant + String(repeating: "0", count: point - significant.count)
        }
        let split = significant.index(significant.startIndex, offsetBy: point)
        return sign + significant[..<split] + "." + significant[split...]
    }

    // MARK: Numbers

    /// Numbers stay, true is 1, text is read as Go's ParseFloat does; everything else is 0.
    public static func number(_ value: BorrowedValue) -> Double {
        if let number = value.number { return number }
        if let bool = value.bool { return bool ? 1 : 0 }
        if value.isText { return number(value.utf8) }
        return value.isJSON ? number(value.asJSON) : 0
    }

    public static func number(_ value: JSON) -> Double {
        switch value {
        case .number(let number): number
        case .bool(let bool): bool ? 1 : 0
        case .string(let text): number(text)
        case .null, .array, .object: 0
        }
    }

    public static func number(_ text: String) -> Double {
        var text = text
        return text.withUTF8 { number($0) }
    }

    // MARK: Bools

    /// true and 1-like texts are true, numbers other than 0 too; everything else is false.
    public static func bool(_ value: BorrowedValue) -> Bool {
        if let bool = value.bool { return bool }
        if let number = value.number { return number != 0 }
        if value.isText { return isTrue(value.utf8) }
        return value.isJSON ? bool(value.asJSON) : false
    }

    public static func bool(_ value: JSON) -> Bool {
        switch value {
        case .bool(let bool): return bool
        case .number(let number): return number != 0
        case .string(var text): return text.withUTF8 { isTrue($0) }
        case .null, .array, .object: return false
        }
    }

    /// What Go's ParseBool takes for true.
    private static func isTrue(_ utf8: UnsafeBufferPointer<UInt8>) -> Bool {
        switch utf8.count {
        case 1: utf8[0] == 0x31 || utf8[0] == 0x74 || utf8[0] == 0x54
        case 4: utf8.elementsEqual("true".utf8) || utf8.elementsEqual("TRUE".utf8) || utf8.elementsEqual("True".utf8)
        default: false
        }
    }
}
