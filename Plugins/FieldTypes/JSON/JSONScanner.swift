/// Checks the grammar of a JSON document and leaves out its white space. Unlike a parser it keeps numbers as they are
/// written, however large, and keys that are there twice.
struct JSONScanner {
    private let bytes: UnsafeBufferPointer<UInt8>
    private var position = 0
    private var output: [UInt8] = []

    /// The document without white space; nil when the bytes are none.
    static func compact(_ bytes: UnsafeBufferPointer<UInt8>) -> String? {
        var scanner = JSONScanner(bytes)
        scanner.skipSpace()
        guard scanner.value(depth: 0) else { return nil }
        scanner.skipSpace()
        return scanner.position == bytes.count ? String(decoding: scanner.output, as: UTF8.self) : nil
    }

    private init(_ bytes: UnsafeBufferPointer<UInt8>) {
        self.bytes = bytes
        output.reserveCapacity(bytes.count)
    }

    private var peek: UInt8? { position < bytes.count ? bytes[position] : nil }

    private mutating func take() {
        output.append(bytes[position])
        position += 1
    }

    private mutating func skipSpace() {
        while let byte = peek, byte == 0x20 || byte == 0x09 || byte == 0x0A || byte == 0x0D { position += 1 }
    }

    private mutating func value(depth: Int) -> Bool {
        // The stack of a worker must bear it.
        guard depth < 960 else { return false }
        switch peek {
        case UInt8(ascii: "{"): return members(close: UInt8(ascii: "}"), isObject: true, depth)
        case UInt8(ascii: "["): return members(close: UInt8(ascii: "]"), isObject: false, depth)
        case UInt8(ascii: "\""): return string()
        case UInt8(ascii: "t"): return word("true")
        case UInt8(ascii: "f"): return word("false")
        case UInt8(ascii: "n"): return word("null")
        default: return number()
        }
    }

    private mutating func members(close: UInt8, isObject: Bool, _ depth: Int) -> Bool {
        take()
        skipSpace()
        if peek == close {
            take()
            return true
        }
        while true {
            skipSpace()
            if isObject {
                guard peek == UInt8(ascii: "\""), string() else { return false }
                skipSpace()
                guard peek == UInt8(ascii: ":") else { return false }
                take()
                skipSpace()
            }
            guard value(depth: depth + 1) else { return false }
            skipSpace()
            if peek == close {
                take()
                return true
            }
            guard peek == UInt8(ascii: ",") else { return false }
            take()
        }
    }

    private mutating func word(_ word: StaticString) -> Bool {
        for index in 0..<word.utf8CodeUnitCount {
            guard peek == word.utf8Start[index] else { return false }
            take()
        }
        return true
    }

    private mutating func digits() -> Bool {
        let start = position
        while let byte = peek, byte >= 0x30, byte <= 0x39 { take() }
        return position > start
    }

    private mutating func number() -> Bool {
        if peek == UInt8(ascii: "-") { take() }
        if peek == UInt8(ascii: "0") { take() } else if !digits() { return false }
        if peek == UInt8(ascii: ".") {
            take()
            guard digits() else { return false }
        }
        if peek == UInt8(ascii: "e") || peek == UInt8(ascii: "E") {
            take()
            if peek == UInt8(ascii: "+") || peek == UInt8(ascii: "-") { take() }
            guard digits() else { return false }
        }
        return true
    }

    private mutating func string() -> Bool {
        take()
        while let byte = peek {
            switch byte {
            case UInt8(ascii: "\""):
                take()
                return true
            case UInt8(ascii: "\\"):
                guard escape() else { return false }
            case 0..<0x20:
                return false
            default:
                takePlain()
            }
        }
        return false
    }

    /// Takes the characters of a string that need no look, at once.
    private mutating func takePlain() {
        let start = position
        while let byte = peek, byte >= 0x20, byte != UInt8(ascii: "\""), byte != UInt8(ascii: "\\") { position += 1 }
        output.append(contentsOf: bytes[start..<position])
    }

    private mutating func escape() -> Bool {
        guard position + 1 < bytes.count else { return false }
        switch bytes[position + 1] {
        case UInt8(ascii: "u"):
            guard let unit = unit(at: position) else { return false }
            let isHigh = unit & 0xFC00 == 0xD800
            if isHigh, let low = self.unit(at: position + 6), low & 0xFC00 == 0xDC00 {
                for _ in 0..<12 { take() }
            } else if unit & 0xF800 == 0xD800 {
                // Half a pair is shown as a replacement character; it is kept as one.
                output.append(contentsOf: "\\ufffd".utf8)
                position += 6
            } else {
                for _ in 0..<6 { take() }
            }
            return true
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"), UInt8(ascii: "f"),
            UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"):
            take()
            take()
            return true
        default:
            return false
        }
    }

    /// The code unit of a `\u` escape at a position.
    private func unit(at start: Int) -> UInt16? {
        guard start + 6 <= bytes.count, bytes[start] == UInt8(ascii: "\\"), bytes[start + 1] == UInt8(ascii: "u") else {
            return nil
        }
        var result: UInt16 = 0
        for byte in bytes[(start + 2)..<(start + 6)] {
            switch byte {
            case 0x30...0x39: result = result << 4 | UInt16(byte - 0x30)
            case 0x41...0x46, 0x61...0x66: result = result << 4 | UInt16((byte | 0x20) - 0x61 + 10)
            default: return nil
            }
        }
        return result
    }
}
