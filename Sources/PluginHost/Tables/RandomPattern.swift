/// What is wrong with a pattern, for people.
struct PatternError: Error, Equatable {
    var message: String
}

/// Makes random text that matches a pattern: literals, classes, groups, alternatives and quantifiers, as PocketBase's
/// autogenerate patterns use them. An open quantifier repeats 6 times at most; `.` is a letter or a digit of ASCII.
struct RandomPattern {
    indirect enum Node {
        case characters([ClosedRange<UInt32>])
        case sequence([Node])
        case alternatives([Node])
        case repeated(Node, ClosedRange<Int>)
    }

    private static let openEnd = 6
    private static let longestText = 100_000

    private let root: Node

    /// - Throws: ``PatternError`` for look-arounds, anchors and what is no pattern.
    init(_ pattern: String) throws(PatternError) {
        var parser = Parser(pattern)
        root = try parser.alternatives(depth: 0)
        if !parser.isAtEnd { throw PatternError(message: "unexpected ) in the pattern") }
    }

    /// - Throws: ``PatternError`` when the text would become too long.
    func generate() throws(PatternError) -> String {
        var text = String.UnicodeScalarView()
        var length = 0
        try Self.write(root, to: &text, &length)
        return String(text)
    }

    private static func write(
        _ node: Node, to text: inout String.UnicodeScalarView, _ length: inout Int
    ) throws(PatternError) {
        switch node {
        case .characters(let ranges):
            let total = ranges.reduce(UInt32(0)) { $0 + UInt32($1.count) }
            guard total > 0 else { throw PatternError(message: "a class of the pattern has no characters") }
            var pick = UInt32.random(in: 0..<total)
            for range in ranges {
                if pick < UInt32(range.count) {
                    if let scalar = Unicode.Scalar(range.lowerBound + pick) { text.append(scalar) }
                    break
                }
                pick -= UInt32(range.count)
            }
            length += 1
            if length > longestText { throw PatternError(message: "the pattern makes too long a text") }
        case .sequence(let nodes):
            for node in nodes { try write(node, to: &text, &length) }
        case .alternatives(let nodes):
            guard let node = nodes.randomElement() else { return }
            try write(node, to: &text, &length)
        case .repeated(let node, let range):
            for _ in 0..<Int.random(in: range) { try write(node, to: &text, &length) }
        }
    }

    private struct Parser {
        private let scalars: [Unicode.Scalar]
        private var position = 0

        init(_ pattern: String) { scalars = Array(pattern.unicodeScalars) }

        var isAtEnd: Bool { position == scalars.count }
        private var next: Unicode.Scalar? { position < scalars.count ? scalars[position] : nil }

        private mutating func take(_ scalar: Unicode.Scalar) -> Bool {
            if next == scalar {
                position += 1
                return true
            }
            return false
        }

        private mutating func take(_ text: String) -> Bool {
            let wanted = Array(text.unicodeScalars)
            guard position + wanted.count <= scalars.count,
                Array(scalars[position..<position + wanted.count]) == wanted
            else { return false }
            position += wanted.count
            return true
        }

        mutating func alternatives(depth: Int) throws(PatternError) -> Node {
            if depth > 100 { throw PatternError(message: "the pattern is nested too deep") }
            var nodes = [try sequence(depth: depth)]
            while take("|") { nodes.append(try sequence(depth: depth)) }
            return nodes.count == 1 ? nodes[0] : .alternatives(nodes)
        }

        private mutating func sequence(depth: Int) throws(PatternError) -> Node {
            var nodes: [Node] = []
            while let scalar = next, scalar != "|", scalar != ")" {
                var node = try atom(depth: depth)
                while let range = try quantifier() {
                    node = .repeated(node, range)
                }
                nodes.append(node)
            }
            return .sequence(nodes)
        }

        private mutating func atom(depth: Int) throws(PatternError) -> Node {
            let scalar = scalars[position]
            position += 1
            switch scalar {
            case "(":
                if take("?") { try groupKind() }
                let node = try alternatives(depth: depth + 1)
                if !take(")") { throw PatternError(message: "the pattern lacks a )") }
                return node
            case "[": return .characters(try characterClass())
            case ".": return .characters(Self.anyRanges)
            case "\\": return .characters(try escape())
            case "^", "$": throw PatternError(message: "anchors cannot be used in a pattern for random text")
            case "*", "+", "?": throw PatternError(message: "nothing to repeat before \(scalar)")
            default: return .characters(literal(scalar))
            }
        }

        private func literal(_ scalar: Unicode.Scalar) -> [ClosedRange<UInt32>] { [scalar.value...scalar.value] }

        /// After `(?`: `:`, `P<name>`, `<name>` or flags.
        private mutating func groupKind() throws(PatternError) {
            if take(":") { return }
            if take("P<") || (next == "<" && !take("<=") && !take("<!") && take("<")) {
                while let scalar = next, scalar != ">" {
                    _ = scalar
                    position += 1
                }
                if take(">") { return }
            }
            throw PatternError(message: "look-arounds and flags cannot be used in a pattern for random text")
        }

        private mutating func quantifier() throws(PatternError) -> ClosedRange<Int>? {
            let range: ClosedRange<Int>
            if take("*") {
                range = 0...openEnd
            } else if take("+") {
                range = 1...openEnd
            } else if take("?") {
                range = 0...1
            } else if next == "{", let counted = try counts() {
                range = counted
            } else {
                return nil
            }
            // Lazy is the same for random text.
            _ = take("?")
            return range
        }

        /// `{n}`, `{n,}` or `{n,m}`; anything else after `{` is a literal, as in RE2.
        private mutating func counts() throws(PatternError) -> ClosedRange<Int>? {
            let start = position
            position += 1
            guard let lower = number() else {
                position = start
                return nil
            }
            var upper = lower
            if take(",") {
                if next == "}" {
                    upper = max(lower, openEnd)
                } else if let number = number() {
                    upper = number
                } else {
                    position = start
                    return nil
                }
            }
            guard take("}") else {
                position = start
                return nil
            }
            guard lower <= upper, upper <= 1000 else { throw PatternError(message: "invalid repeat count") }
            return lower...upper
        }

        private mutating func number() -> Int? {
            var value: Int?
            while let scalar = next, ("0"..."9").contains(scalar) {
                value = min((value ?? 0) * 10 + Int(scalar.value - 48), 1_000_000)
                position += 1
            }
            return value
        }

        private mutating func characterClass() throws(PatternError) -> [ClosedRange<UInt32>] {
            let isNegated = take("^")
            var ranges: [ClosedRange<UInt32>] = []
            var isFirst = true
            while let scalar = next, scalar != "]" || isFirst {
                isFirst = false
                if let posix = try posixClass() {
                    ranges += posix
                    continue
                }
                position += 1
                var lower = literal(scalar)
                if scalar == "\\" { lower = try escape() }
                guard lower.count == 1, let only = lower.first, only.count == 1, next == "-",
                    position + 1 < scalars.count, scalars[position + 1] != "]"
                else {
                    ranges += lower
                    continue
                }
                position += 1
                let end = scalars[position]
                position += 1
                let upper = end == "\\" ? try escape() : literal(end)
                guard upper.count == 1, let last = upper.first, last.count == 1, only.lowerBound <= last.lowerBound
                else {
                    throw PatternError(message: "invalid range in a class of the pattern")
                }
                // Surrogates are no characters.
                if only.lowerBound < 0xD800, last.lowerBound > 0xDFFF {
                    ranges += [only.lowerBound...0xD7FF, 0xE000...last.lowerBound]
                } else {
                    ranges.append(only.lowerBound...last.lowerBound)
                }
            }
            if !take("]") { throw PatternError(message: "the pattern lacks a ]") }
            return isNegated ? Self.complement(ranges) : Self.merged(ranges)
        }

        private mutating func posixClass() throws(PatternError) -> [ClosedRange<UInt32>]? {
            guard next == "[", position + 1 < scalars.count, scalars[position + 1] == ":" else { return nil }
            for (name, ranges) in Self.posixClasses where take("[:\(name):]") { return ranges }
            throw PatternError(message: "unknown class in the pattern")
        }

        /// After a backslash.
        private mutating func escape() throws(PatternError) -> [ClosedRange<UInt32>] {
            guard let scalar = next else { throw PatternError(message: "the pattern ends with a backslash") }
            position += 1
            switch scalar {
            case "d": return Self.digits
            case "D": return Self.complement(Self.digits)
            case "w": return Self.word
            case "W": return Self.complement(Self.word)
            case "s": return Self.space
            case "S": return Self.complement(Self.space)
            case "n": return [0x0A...0x0A]
            case "t": return [0x09...0x09]
            case "r": return [0x0D...0x0D]
            case "f": return [0x0C...0x0C]
            case "v": return [0x0B...0x0B]
            case "x": return try hexadecimal()
            case "b", "B", "A", "z", "Z":
                throw PatternError(message: "anchors cannot be used in a pattern for random text")
            default:
                if scalar.properties.isAlphabetic || ("0"..."9").contains(scalar) {
                    throw PatternError(message: "\\\(scalar) cannot be used in a pattern for random text")
                }
                return literal(scalar)
            }
        }

        private mutating func hexadecimal() throws(PatternError) -> [ClosedRange<UInt32>] {
            var digits = ""
            if take("{") {
                while let scalar = next, scalar != "}" {
                    digits.unicodeScalars.append(scalar)
                    position += 1
                }
                _ = take("}")
            } else {
                for _ in 0..<2 {
                    guard let scalar = next else { break }
                    digits.unicodeScalars.append(scalar)
                    position += 1
                }
            }
            guard let value = UInt32(digits, radix: 16), Unicode.Scalar(value) != nil else {
                throw PatternError(message: "invalid \\x in the pattern")
            }
            return [value...value]
        }

        private static let digits: [ClosedRange<UInt32>] = [0x30...0x39]
        private static let word: [ClosedRange<UInt32>] = [0x30...0x39, 0x41...0x5A, 0x5F...0x5F, 0x61...0x7A]
        private static let space: [ClosedRange<UInt32>] = [0x09...0x0A, 0x0C...0x0D, 0x20...0x20]
        private static let anyRanges: [ClosedRange<UInt32>] = [0x30...0x39, 0x41...0x5A, 0x61...0x7A]
        private static let posixClasses: [(String, [ClosedRange<UInt32>])] = [
            ("alnum", anyRanges), ("alpha", [0x41...0x5A, 0x61...0x7A]), ("digit", digits),
            ("lower", [0x61...0x7A]), ("upper", [0x41...0x5A]), ("word", word), ("space", [0x09...0x0D, 0x20...0x20]),
            ("xdigit", [0x30...0x39, 0x41...0x46, 0x61...0x66]),
            ("punct", [0x21...0x2F, 0x3A...0x40, 0x5B...0x60, 0x7B...0x7E]),
        ]

        private static func merged(_ ranges: [ClosedRange<UInt32>]) -> [ClosedRange<UInt32>] {
            var result: [ClosedRange<UInt32>] = []
            for range in ranges.sorted(by: { $0.lowerBound < $1.lowerBound }) {
                if let last = result.last, range.lowerBound <= last.upperBound {
                    result[result.count - 1] = last.lowerBound...max(last.upperBound, range.upperBound)
                } else {
                    result.append(range)
                }
            }
            return result
        }

        /// What is not in the ranges: of all Unicode, as PocketBase has it, so that a negated class rarely gives ASCII.
        private static func complement(_ ranges: [ClosedRange<UInt32>]) -> [ClosedRange<UInt32>] {
            var result: [ClosedRange<UInt32>] = []
            var start: UInt32 = 0
            for range in merged(ranges + [0xD800...0xDFFF]) {
                if range.lowerBound > start { result.append(start...range.lowerBound - 1) }
                start = range.upperBound + 1
            }
            if start <= 0x10FFFF { result.append(start...0x10FFFF) }
            return result
        }
    }
}
