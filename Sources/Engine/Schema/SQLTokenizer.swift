/// Splits text at separators, except inside parentheses and quotes. It knows no SQL: PocketBase reads index and view
/// statements by such splitting, and what a statement means to it follows from how it is split.
struct SQLTokenizer {
    /// Parentheses or a quote stay open.
    struct Unbalanced: Error, CustomStringConvertible {
        var text: String
        var description: String { "unbalanced parenthesis or quoted expression: \(GoQuote.quote(text))" }
    }

    private static let whitespace: [Unicode.Scalar] = ["\t", "\n", "\u{0B}", "\u{0C}", "\r", " ", "\u{85}", "\u{A0}"]

    /// The parts of a text, without the white space around them and without empty ones.
    ///
    /// - Parameter keepsSeparator: whether each part ends with the separator that ended it.
    static func split(
        _ text: String, at separators: [Unicode.Scalar], keepsSeparator: Bool = false
    ) throws(Unbalanced) -> [String] {
        let trimmed = whitespace.filter { !separators.contains($0) }
        var tokens: [String] = []
        var token: [Unicode.Scalar] = []
        var depth = 0
        var quote: Unicode.Scalar?
        var previous: Unicode.Scalar?

        func finish() throws(Unbalanced) {
            if depth > 0 || quote != nil { throw Unbalanced(text: Self.string(token[...])) }
            var slice = token[...]
            while let first = slice.first, trimmed.contains(first) { slice.removeFirst() }
            while let last = slice.last, trimmed.contains(last) { slice.removeLast() }
            if !slice.isEmpty { tokens.append(Self.string(slice)) }
            token.removeAll(keepingCapacity: true)
            previous = nil
        }

        for scalar in text.unicodeScalars {
            if previous != "\\" {
                if scalar == "(", quote == nil {
                    depth += 1
                } else if scalar == ")", depth > 0, quote == nil {
                    depth -= 1
                } else if scalar == "'" || scalar == "\"" || scalar == "`" {
                    if quote == scalar { quote = nil } else if quote == nil { quote = scalar }
                }
            }
            if depth == 0, quote == nil, separators.contains(scalar) {
                if keepsSeparator { token.append(scalar) }
                try finish()
                continue
            }
            previous = scalar
            token.append(scalar)
        }
        try finish()
        return tokens
    }

    private static func string(_ scalars: ArraySlice<Unicode.Scalar>) -> String {
        var view = String.UnicodeScalarView()
        view.append(contentsOf: scalars)
        return String(view)
    }
}

/// Text in quotes as Go's `%q` writes it, since it stands in messages that clients see.
enum GoQuote {
    static func quote(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\t": result += "\\t"
            case "\r": result += "\\r"
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }
}
