/// A piece of a filter's text.
enum FilterToken: Equatable {
    case end
    /// White space or a comment.
    case blank
    case operand(FilterOperand)
    case sign(FilterOperator)
    /// `&&` (true) or `||`.
    case join(isAnd: Bool)
    /// What stands between a pair of parentheses, by its place in the text.
    case group(start: Int, end: Int)
}

/// Cuts a filter into tokens.
///
/// Filters written for PocketBase are the specification, quirks included: a group's closing parenthesis is searched
/// without regard to comments, quotes of either kind may be escaped in a text of either kind, and a NUL ends whatever
/// token it stands in.
struct FilterLexer {
    let bytes: [UInt8]
    /// The next byte to read.
    var position = 0
    /// Where reading stops: the end of the text, or of the group that is read.
    var end: Int

    init(_ text: String) {
        bytes = Array(text.utf8)
        end = bytes.count
    }

    mutating func next() throws(QueryError) -> FilterToken {
        guard let byte = read() else { return .end }
        switch byte {
        case _ where Self.isSpace(byte):
            while let byte = read() {
                if !Self.isSpace(byte) {
                    position -= 1
                    break
                }
            }
            return .blank
        case UInt8(ascii: "("):
            return try scanGroup()
        case _ where Self.startsIdentifier(byte):
            return .operand(try scanIdentifier(functionDepth: QueryLimits.functionDepth))
        case _ where Self.startsNumber(byte):
            return .operand(try scanNumber())
        case UInt8(ascii: "'"), UInt8(ascii: "\""):
            return .operand(.text(try scanText(quote: byte)))
        case _ where Self.isSign(byte):
            let spelling = scanRun(from: position - 1, while: Self.isSign)
            guard let sign = FilterOperator(spelling) else {
                throw QueryError("invalid sign operator \(QueryError.quote(spelling))")
            }
            return .sign(sign)
        case UInt8(ascii: "&"), UInt8(ascii: "|"):
            let spelling = scanRun(from: position - 1) { $0 == UInt8(ascii: "&") || $0 == UInt8(ascii: "|") }
            guard spelling == "&&" || spelling == "||" else {
                throw QueryError("invalid join operator \(QueryError.quote(spelling))")
            }
            return .join(isAnd: spelling == "&&")
        case UInt8(ascii: "/"):
            try skipComment()
            return .blank
        default:
            throw QueryError("unexpected character \(character(at: position - 1))")
        }
    }

    /// The next byte; nil at the end and for a NUL, which is consumed.
    private mutating func read() -> UInt8? {
        guard position < end else { return nil }
        let byte = bytes[position]
        position += 1
        return byte == 0 ? nil : byte
    }

    private func string(_ range: Range<Int>) -> String { String(decoding: bytes[range], as: UTF8.self) }

    /// A character in single quotes, for a message.
    private func character(at position: Int) -> String {
        let character = String(decoding: bytes[position...].prefix(4), as: UTF8.self).unicodeScalars.first.map(
            String.init)
        return "'\(character ?? "")'"
    }

    /// The bytes from `start` on for which `isPart` holds.
    private mutating func scanRun(from start: Int, while isPart: (UInt8) -> Bool) -> String {
        var last = position
        while let byte = read() {
            guard isPart(byte) else {
                position -= 1
                break
            }
            last = position
        }
        return string(start..<last)
    }

    /// Skips the rest of a comment whose first slash was read.
    private mutating func skipComment() throws(QueryError) {
        guard read() == UInt8(ascii: "/") else { throw QueryError("invalid comment") }
        while let byte = read(), byte != UInt8(ascii: "\n") {}
    }

    private mutating func scanNumber() throws(QueryError) -> FilterOperand {
        let start = position - 1
        var hadDot = false
        let literal = scanRun(from: start) { byte in
            if byte == UInt8(ascii: "."), !hadDot {
                hadDot = true
                return true
            }
            return Self.isDigit(byte)
        }
        guard literal != "-", literal.last != ".", let value = Double(literal) else {
            throw QueryError("invalid number \(QueryError.quote(literal))")
        }
        // Go's conversion gives up on what does not fit into a double.
        return .number(value.isFinite ? value : 0)
    }

    /// The text after its opening quote, up to and with the closing one.
    private mutating func scanText(quote: UInt8) throws(QueryError) -> String {
        let start = position - 1
        var result: [UInt8] = []
        var isEscaped = false
        while let byte = read() {
            if isEscaped {
                isEscaped = false
                // A backslash before anything but a quote or a backslash is a backslash.
                if byte == UInt8(ascii: "\\") || byte == UInt8(ascii: "'") || byte == UInt8(ascii: "\"") {
                    result.removeLast()
                }
            } else if byte == UInt8(ascii: "\\") {
                isEscaped = true
            } else if byte == quote {
                return String(decoding: result, as: UTF8.self)
            }
            result.append(byte)
        }
        throw QueryError("invalid quoted text \(QueryError.quote(string(start..<position)))")
    }

    private mutating func scanIdentifier(functionDepth: Int) throws(QueryError) -> FilterOperand {
        let start = position - 1
        let name = scanRun(from: start, while: Self.continuesIdentifier)
        // A NUL that ended the run was consumed, so the parenthesis must be the very next byte of the run.
        let isFunction =
            position == start + name.utf8.count && position < end && bytes[position] == UInt8(ascii: "(")
        if isFunction, functionDepth <= 0 {
            throw QueryError("max nested function arguments reached (max: \(QueryLimits.functionDepth))")
        }
        guard let last = name.utf8.last, last != UInt8(ascii: "."), last != UInt8(ascii: ":"),
            name != "@", name != "_", name != "#"
        else { throw QueryError("invalid \(isFunction ? "function name" : "identifier") \(QueryError.quote(name))") }
        if isFunction {
            position += 1
            return .function(name, try scanArguments(of: name, functionDepth: functionDepth))
        }
        return .identifier(name)
    }

    /// The arguments after a function's opening parenthesis. A comma after the last one is allowed.
    private mutating func scanArguments(of name: String, functionDepth: Int) throws(QueryError) -> [FilterOperand] {
        var arguments: [FilterOperand] = []
        var expectsComma = false
        while let byte = read() {
            if byte == UInt8(ascii: ")") { return arguments }
            if Self.isSpace(byte) { continue }
            if byte == UInt8(ascii: "/") {
                try skipComment()
                continue
            }
            let isComma = byte == UInt8(ascii: ",")
            guard isComma == expectsComma else {
                let problem = isComma ? "unexpected comma" : "expected comma after the last argument"
                throw QueryError("\(problem) in function \(QueryError.quote(name))")
            }
            expectsComma = !isComma
            if isComma { continue }
            if Self.startsIdentifier(byte) {
                arguments.append(try scanIdentifier(functionDepth: functionDepth - 1))
            } else if Self.startsNumber(byte) {
                arguments.append(try scanNumber())
            } else if byte == UInt8(ascii: "'") || byte == UInt8(ascii: "\"") {
                arguments.append(.text(try scanText(quote: byte)))
            } else {
                throw QueryError(
                    "unsupported argument character \(character(at: position - 1)) in function \(QueryError.quote(name))"
                )
            }
        }
        throw QueryError("invalid or incomplete function \(QueryError.quote(name)) (expected ')')")
    }

    /// Finds the end of a group whose opening parenthesis was read.
    private mutating func scanGroup() throws(QueryError) -> FilterToken {
        let start = position
        var open = 1
        while let byte = read() {
            switch byte {
            case UInt8(ascii: "("): open += 1
            case UInt8(ascii: "'"), UInt8(ascii: "\""): _ = try scanText(quote: byte)
            case UInt8(ascii: ")"):
                open -= 1
                if open == 0 { return .group(start: start, end: position - 1) }
            default: break
            }
        }
        throw QueryError("invalid formatted group - missing \(open) closing bracket(s)")
    }

    static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 || byte == 0x0A }
    static func isDigit(_ byte: UInt8) -> Bool { byte >= 0x30 && byte <= 0x39 }
    static func isLetter(_ byte: UInt8) -> Bool { (byte | 0x20) >= 0x61 && (byte | 0x20) <= 0x7A }
    static func startsIdentifier(_ byte: UInt8) -> Bool {
        isLetter(byte) || byte == UInt8(ascii: "@") || byte == UInt8(ascii: "_") || byte == UInt8(ascii: "#")
    }
    static func continuesIdentifier(_ byte: UInt8) -> Bool {
        isLetter(byte) || isDigit(byte) || byte == UInt8(ascii: ".") || byte == UInt8(ascii: ":")
            || byte == UInt8(ascii: "_")
    }
    static func startsNumber(_ byte: UInt8) -> Bool { isDigit(byte) || byte == UInt8(ascii: "-") }
    static func isSign(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "="), UInt8(ascii: "?"), UInt8(ascii: "!"), UInt8(ascii: ">"), UInt8(ascii: "<"),
            UInt8(ascii: "~"):
            true
        default: false
        }
    }
}
