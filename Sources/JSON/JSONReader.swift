internal import Marks

/// The state of one parse: a cursor over the bytes. Recursive, so its depth is bounded by `JSONParser.Options`.
struct JSONReader {
    private let base: UnsafePointer<UInt8>
    private let end: Int
    private let rejectDuplicateKeys: Bool
    private let allowTrailing: Bool
    private let rejectLongMarks: Bool
    private var position = 0
    private var depthLeft: Int
    /// Bytes of the string being unescaped; kept to reuse its memory.
    private var scratch: [UInt8] = []

    init(base: UnsafePointer<UInt8>, end: Int, options: JSONParser.Options) {
        self.base = base
        self.end = end
        self.rejectDuplicateKeys = options.rejectDuplicateKeys
        self.allowTrailing = options.allowTrailing
        self.rejectLongMarks = options.rejectLongMarks
        self.depthLeft = min(options.maxDepth, JSONParser.Options.depthLimit)
    }

    mutating func readDocument() throws(JSONError) -> JSON {
        skipSpace()
        let value = try readValue()
        if !allowTrailing {
            skipSpace()
            if position < end { throw failure(.trailingData) }
        }
        return value
    }

    /// Goes over a document as `readDocument` does, but makes nothing of it; duplicate keys are not looked for.
    mutating func skipDocument() throws(JSONError) {
        skipSpace()
        try skipValue()
        if !allowTrailing {
            skipSpace()
            if position < end { throw failure(.trailingData) }
        }
    }

    // MARK: Values

    private mutating func skipValue() throws(JSONError) {
        guard position < end else { throw failure(.unexpectedEnd) }
        switch base[position] {
        case 0x22: try skipString()
        case UInt8(ascii: "{"): try skipMembers(closedBy: UInt8(ascii: "}"), haveKeys: true)
        case UInt8(ascii: "["): try skipMembers(closedBy: UInt8(ascii: "]"), haveKeys: false)
        case UInt8(ascii: "-"), 0x30...0x39: _ = try readNumber()
        case UInt8(ascii: "t"): try expect("true")
        case UInt8(ascii: "f"): try expect("false")
        case UInt8(ascii: "n"): try expect("null")
        case let byte: throw failure(.unexpectedByte(byte))
        }
    }

    private mutating func skipMembers(closedBy close: UInt8, haveKeys: Bool) throws(JSONError) {
        try descend()
        skipSpace()
        if peek() == close { return ascend() }
        while true {
            if haveKeys {
                guard position < end else { throw failure(.unexpectedEnd) }
                guard base[position] == 0x22 else { throw failure(.unexpectedByte(base[position])) }
                try skipString()
                skipSpace()
                guard position < end else { throw failure(.unexpectedEnd) }
                guard base[position] == UInt8(ascii: ":") else { throw failure(.unexpectedByte(base[position])) }
                position += 1
                skipSpace()
            }
            try skipValue()
            skipSpace()
            guard position < end else { throw failure(.unexpectedEnd) }
            let byte = base[position]
            if byte == close { return ascend() }
            guard byte == UInt8(ascii: ",") else { throw failure(.unexpectedByte(byte)) }
            position += 1
            skipSpace()
        }
    }

    private mutating func skipString() throws(JSONError) {
        position += 1
        try skipPlain()
        while base[position] != 0x22 {
            position += 1
            scratch.removeAll(keepingCapacity: true)
            try readEscape()
            try skipPlain()
        }
        position += 1
    }

    private mutating func readValue() throws(JSONError) -> JSON {
        guard position < end else { throw failure(.unexpectedEnd) }
        switch base[position] {
        case 0x22:
            return .string(try readString())
        case UInt8(ascii: "{"):
            return .object(try readObject())
        case UInt8(ascii: "["):
            return .array(try readArray())
        case UInt8(ascii: "-"), 0x30...0x39:
            return .number(try readNumber())
        case UInt8(ascii: "t"):
            try expect("true")
            return .bool(true)
        case UInt8(ascii: "f"):
            try expect("false")
            return .bool(false)
        case UInt8(ascii: "n"):
            try expect("null")
            return .null
        case let byte:
            throw failure(.unexpectedByte(byte))
        }
    }

    private mutating func readObject() throws(JSONError) -> JSONObject {
        try descend()
        var object = JSONObject()
        skipSpace()
        if peek() == UInt8(ascii: "}") {
            ascend()
            return object
        }
        object.reserveCapacity(8)
        while true {
            guard position < end else { throw failure(.unexpectedEnd) }
            guard base[position] == 0x22 else { throw failure(.unexpectedByte(base[position])) }
            let keyOffset = position
            let key = try readString()
            skipSpace()
            guard position < end else { throw failure(.unexpectedEnd) }
            guard base[position] == UInt8(ascii: ":") else { throw failure(.unexpectedByte(base[position])) }
            position += 1
            skipSpace()
            let value = try readValue()
            if !object.appendIfAbsent(key, value) {
                if rejectDuplicateKeys { throw JSONError(offset: keyOffset, reason: .duplicateKey) }
                object[key] = value
            }
            skipSpace()
            guard position < end else { throw failure(.unexpectedEnd) }
            switch base[position] {
            case UInt8(ascii: ","):
                position += 1
                skipSpace()
            case UInt8(ascii: "}"):
                ascend()
                return object
            case let byte:
                throw failure(.unexpectedByte(byte))
            }
        }
    }

    private mutating func readArray() throws(JSONError) -> [JSON] {
        try descend()
        var elements: [JSON] = []
        skipSpace()
        if peek() == UInt8(ascii: "]") {
            ascend()
            return elements
        }
        while true {
            elements.append(try readValue())
            skipSpace()
            guard position < end else { throw failure(.unexpectedEnd) }
            switch base[position] {
            case UInt8(ascii: ","):
                position += 1
                skipSpace()
            case UInt8(ascii: "]"):
                ascend()
                return elements
            case let byte:
                throw failure(.unexpectedByte(byte))
            }
        }
    }

    private mutating func descend() throws(JSONError) {
        if depthLeft <= 0 { throw failure(.tooDeep) }
        depthLeft -= 1
        position += 1
    }

    private mutating func ascend() {
        depthLeft += 1
        position += 1
    }

    private mutating func expect(_ word: StaticString) throws(JSONError) {
        for offset in 0..<word.utf8CodeUnitCount {
            guard position < end else { throw failure(.unexpectedEnd) }
            guard base[position] == word.utf8Start[offset] else { throw failure(.unexpectedByte(base[position])) }
            position += 1
        }
    }

    // MARK: Numbers

    /// The powers of ten that a double holds exactly.
    private static let powersOfTen: [Double] = [
        1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19,
        1e20, 1e21, 1e22,
    ]

    private mutating func readNumber() throws(JSONError) -> Double {
        let start = position
        var negative = false
        if base[position] == UInt8(ascii: "-") {
            negative = true
            position += 1
        }
        var mantissa: UInt64 = 0
        var digits = 0
        guard position < end else { throw failure(.unexpectedEnd) }
        if base[position] == UInt8(ascii: "0") {
            position += 1
            if let next = peek(), isDigit(next) { throw failure(.invalidNumber) }
        } else {
            digits = try readDigits(into: &mantissa)
        }
        var exponent = 0
        if peek() == UInt8(ascii: ".") {
            position += 1
            let places = try readDigits(into: &mantissa)
            digits += places
            exponent = -places
        }
        if let next = peek(), next | 0x20 == UInt8(ascii: "e") {
            position += 1
            var negativeExponent = false
            if let sign = peek(), sign == UInt8(ascii: "-") || sign == UInt8(ascii: "+") {
                negativeExponent = sign == UInt8(ascii: "-")
                position += 1
            }
            var magnitude: UInt64 = 0
            // Beyond six digits the exact value does not matter any more, and wrapping is kept from happening.
            let length = try readDigits(into: &magnitude)
            let bounded = length > 6 ? 1_000_000 : Int(magnitude)
            exponent += negativeExponent ? -bounded : bounded
        }
        // Clinger: a mantissa and a power of ten that are both exact give the nearest double in one operation.
        if digits <= 19, mantissa <= 1 << 53, exponent >= -22, exponent <= 22 {
            let magnitude = Double(mantissa)
            let value =
                exponent == 0
                ? magnitude
                : exponent < 0
                    ? magnitude / Self.powersOfTen[-exponent] : magnitude * Self.powersOfTen[exponent]
            return negative ? -value : value
        }
        let text = String(decoding: UnsafeBufferPointer(start: base + start, count: position - start), as: UTF8.self)
        guard let value = Double(text) else { throw JSONError(offset: start, reason: .invalidNumber) }
        guard value.isFinite else { throw JSONError(offset: start, reason: .numberOutOfRange) }
        return value
    }

    /// Reads one digit or more; the sum wraps beyond 19 digits, which the caller tells from the count.
    private mutating func readDigits(into value: inout UInt64) throws(JSONError) -> Int {
        let start = position
        while position < end, isDigit(base[position]) {
            value = value &* 10 &+ UInt64(base[position] &- 0x30)
            position += 1
        }
        if position == start { throw failure(position < end ? .invalidNumber : .unexpectedEnd) }
        return position - start
    }

    // MARK: Strings

    private mutating func readString() throws(JSONError) -> String {
        position += 1
        let start = position
        try skipPlain()
        let bytes = UnsafeBufferPointer(start: base + start, count: position - start)
        if base[position] == 0x22 {
            position += 1
            try checkMarks(UnsafeRawBufferPointer(bytes))
            return String(decoding: bytes, as: UTF8.self)
        }
        return try readEscapedString(after: bytes)
    }

    /// Reads on from the first backslash of a string.
    private mutating func readEscapedString(
        after start: UnsafeBufferPointer<UInt8>
    ) throws(JSONError) -> String {
        scratch.removeAll(keepingCapacity: true)
        scratch.append(contentsOf: start)
        while base[position] != 0x22 {
            position += 1
            try readEscape()
            let plainStart = position
            try skipPlain()
            scratch.append(contentsOf: UnsafeBufferPointer(start: base + plainStart, count: position - plainStart))
        }
        position += 1
        if rejectLongMarks, !CombiningMarks.areFew(in: scratch) { throw failure(.longMarks) }
        return String(decoding: scratch, as: UTF8.self)
    }

    private func checkMarks(_ bytes: UnsafeRawBufferPointer) throws(JSONError) {
        if rejectLongMarks, !CombiningMarks.areFew(in: bytes) { throw failure(.longMarks) }
    }

    /// Goes to the next quote or backslash and checks the UTF-8 on the way: `String(validating:as:)` would do it at
    /// several times the cost, through unspecialised generics.
    private mutating func skipPlain() throws(JSONError) {
        while true {
            position = scanPlainASCII(base, from: position, to: end)
            guard position < end else { throw failure(.unexpectedEnd) }
            let byte = base[position]
            if byte == 0x22 || byte == 0x5C { return }
            if byte < 0x20 { throw failure(.controlCharacter) }
            repeat {
                let length = utf8Length(base, at: position, end: end)
                if length == 0 { throw failure(.invalidUTF8) }
                position += length
            } while position < end && base[position] >= 0x80
        }
    }

    private mutating func readEscape() throws(JSONError) {
        guard position < end else { throw failure(.unexpectedEnd) }
        let byte = base[position]
        position += 1
        switch byte {
        case 0x22, 0x5C, 0x2F: scratch.append(byte)
        case UInt8(ascii: "n"): scratch.append(0x0A)
        case UInt8(ascii: "t"): scratch.append(0x09)
        case UInt8(ascii: "r"): scratch.append(0x0D)
        case UInt8(ascii: "b"): scratch.append(0x08)
        case UInt8(ascii: "f"): scratch.append(0x0C)
        case UInt8(ascii: "u"):
            let offset = position - 2
            var scalar = try readHex4()
            if scalar & 0xFC00 == 0xD800 {
                guard position + 1 < end, base[position] == 0x5C, base[position + 1] == UInt8(ascii: "u") else {
                    throw JSONError(offset: offset, reason: .loneSurrogate)
                }
                position += 2
                let low = try readHex4()
                guard low & 0xFC00 == 0xDC00 else { throw JSONError(offset: offset, reason: .loneSurrogate) }
                scalar = 0x10000 + (scalar & 0x3FF) << 10 + low & 0x3FF
            }
            guard let unicode = Unicode.Scalar(scalar) else {
                throw JSONError(offset: offset, reason: .loneSurrogate)
            }
            scratch.append(contentsOf: unicode.utf8)
        default:
            position -= 1
            throw failure(.invalidEscape)
        }
    }

    private mutating func readHex4() throws(JSONError) -> UInt32 {
        var value: UInt32 = 0
        for _ in 0..<4 {
            guard position < end else { throw failure(.unexpectedEnd) }
            let byte = base[position]
            let digit: UInt8
            switch byte {
            case 0x30...0x39: digit = byte - 0x30
            case 0x41...0x46: digit = byte - 0x41 + 10
            case 0x61...0x66: digit = byte - 0x61 + 10
            default: throw failure(.invalidEscape)
            }
            value = value << 4 | UInt32(digit)
            position += 1
        }
        return value
    }

    // MARK: Bytes

    private mutating func skipSpace() {
        while position < end {
            switch base[position] {
            case 0x20, 0x0A, 0x0D, 0x09: position += 1
            default: return
            }
        }
    }

    private func peek() -> UInt8? { position < end ? base[position] : nil }

    private func isDigit(_ byte: UInt8) -> Bool { byte &- 0x30 < 10 }

    private func failure(_ reason: JSONError.Reason) -> JSONError { JSONError(offset: position, reason: reason) }
}
