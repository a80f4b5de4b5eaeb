import Store

/// The right side of `~`: a text without a wildcard of its own means "contains".
enum LikePattern {
    static func make(_ value: SQLValue) -> String { make(text(of: value)) }

    static func make(_ text: String) -> String {
        let scalars = Array(text.unicodeScalars)
        return hasWildcard(scalars) ? text : "%" + escape(scalars) + "%"
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

    private static func hasWildcard(_ scalars: [Unicode.Scalar]) -> Bool {
        var previous: Unicode.Scalar?
        for scalar in scalars {
            if scalar == "%", previous != "\\" { return true }
            previous = scalar == "\\" && previous == "\\" ? nil : scalar
        }
        return false
    }

    /// Puts a backslash before each `\`, `%` and `_` that has none before it. The text is walked from its end, so of
    /// two backslashes the first counts as the escape of the second, as in PocketBase.
    private static func escape(_ scalars: [Unicode.Scalar]) -> String {
        var reversed: [Unicode.Scalar] = []
        var isPending = false
        for (index, scalar) in scalars.enumerated().reversed() {
            if isPending {
                if scalar != "\\" { reversed.append("\\") }
                isPending = false
            } else {
                isPending = scalar == "\\" || scalar == "%" || scalar == "_"
            }
            reversed.append(scalar)
            if index == 0, isPending { reversed.append("\\") }
        }
        var result = String.UnicodeScalarView()
        result.append(contentsOf: reversed.reversed())
        return String(result)
    }
}
