import Store

/// The right side of `~`: a text without a wildcard of its own means "contains".
enum LikePattern {
    static func make(_ value: SQLValue) -> String { make(text(of: value)) }

    static func make(_ text: String) -> String {
        // All characters that matter are ASCII, so that bytes can be looked at.
        let bytes = text.utf8
        if hasWildcard(bytes) { return text }
        guard bytes.contains(where: isSpecial) else { return "%" + text + "%" }
        return "%" + escape(Array(bytes)) + "%"
    }

    /// A value as Go's cast.ToString writes it.
    static func text(of value: SQLValue) -> String {
        switch value {
        case .null: ""
        case .integer(let value): String(value)
        case .real(let value): plain(value)
        case .text(let value): value
        case .blob(let value): String(decoding: value, as: UTF8.self)
        }
    }

    /// The shortest digits of a number, never with an exponent.
    private static func plain(_ value: Double) -> String {
        guard value.isFinite else { return value.isNaN ? "NaN" : value < 0 ? "-Inf" : "+Inf" }
        let text = value.magnitude.description
        let sign = value.sign == .minus ? "-" : ""
        let parts = text.split(separator: "e")
        let mantissa = parts[0].split(separator: ".")
        var whole = String(mantissa[0])
        var fraction = mantissa.count > 1 && mantissa[1] != "0" ? String(mantissa[1]) : ""
        var exponent = parts.count > 1 ? Int(parts[1]) ?? 0 : 0
        while exponent > 0 {
            whole.append(fraction.isEmpty ? "0" : fraction.removeFirst())
            exponent -= 1
        }
        while exponent < 0 {
            fraction.insert(whole.popLast() ?? "0", at: fraction.startIndex)
            exponent += 1
        }
        let leading = String(whole.drop { $0 == "0" })
        return sign + (leading.isEmpty ? "0" : leading) + (fraction.isEmpty ? "" : "." + fraction)
    }

    private static let backslash = UInt8(ascii: "\\")

    private static func isSpecial(_ byte: UInt8) -> Bool {
        byte == backslash || byte == UInt8(ascii: "%") || byte == UInt8(ascii: "_")
    }

    private static func hasWildcard(_ bytes: String.UTF8View) -> Bool {
        var isEscaped = false
        for byte in bytes {
            if byte == UInt8(ascii: "%"), !isEscaped { return true }
            isEscaped = byte == backslash && !isEscaped
        }
        return false
    }

    /// Puts a backslash before each `\`, `%` and `_` that has none before it. The text is walked from its end, so of
    /// two backslashes the first counts as the escape of the second, as in PocketBase.
    private static func escape(_ bytes: [UInt8]) -> String {
        var reversed: [UInt8] = []
        reversed.reserveCapacity(bytes.count + 8)
        var isPending = false
        for byte in bytes.reversed() {
            if isPending {
                if byte != backslash { reversed.append(backslash) }
                isPending = false
            } else {
                isPending = isSpecial(byte)
            }
            reversed.append(byte)
        }
        if isPending { reversed.append(backslash) }
        return String(decoding: reversed.reversed(), as: UTF8.self)
    }
}
