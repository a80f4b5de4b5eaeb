/// A header value with parameters: `multipart/form-data; boundary="x"`, `form-data; name="a"; filename="b"`.
package struct HeaderParameters: Sendable {
    /// The part before the first semicolon, in lower case.
    package let value: String
    /// Names in lower case, in the order sent; quotes and escapes are taken away.
    package let parameters: [(name: String, value: String)]

    package init(_ text: String) {
        var scanner = Scanner(bytes: Array(text.utf8))
        value = Scanner.text(scanner.until(";").map(ASCII.lower))
        var parameters: [(name: String, value: String)] = []
        while scanner.skip(";") {
            let name = scanner.name()
            guard scanner.skip("=") else { continue }
            let value = scanner.value()
            if !name.isEmpty { parameters.append((Scanner.text(name.map(ASCII.lower)), Scanner.text(value))) }
        }
        self.parameters = parameters
    }

    /// The first parameter of that name (in lower case). `name*` of RFC 5987 in UTF-8 is understood and wins.
    package subscript(_ name: String) -> String? {
        if let extended = parameters.first(where: { $0.name == name + "*" })?.value {
            let parts = extended.split(separator: "'", maxSplits: 2, omittingEmptySubsequences: false)
            if parts.count == 3, parts[0].lowercased() == "utf-8" { return PercentCoding.decode(parts[2].utf8) }
        }
        return parameters.first { $0.name == name }?.value
    }

    private struct Scanner {
        let bytes: [UInt8]
        var position = 0

        init(bytes: [UInt8]) {
            self.bytes = bytes
        }

        static func text(_ bytes: [UInt8]) -> String {
            String(decoding: bytes, as: UTF8.self)
        }

        mutating func skip(_ character: Unicode.Scalar) -> Bool {
            skipSpace()
            guard position < bytes.count, bytes[position] == UInt8(ascii: character) else { return false }
            position += 1
            return true
        }

        mutating func until(_ end: Unicode.Scalar) -> [UInt8] {
            skipSpace()
            let start = position
            while position < bytes.count, bytes[position] != UInt8(ascii: end) { position += 1 }
            return Self.trimmed(bytes[start..<position])
        }

        mutating func name() -> [UInt8] {
            skipSpace()
            let start = position
            while position < bytes.count, bytes[position] != UInt8(ascii: "="), bytes[position] != UInt8(ascii: ";") {
                position += 1
            }
            return Self.trimmed(bytes[start..<position])
        }

        mutating func value() -> [UInt8] {
            skipSpace()
            guard position < bytes.count, bytes[position] == UInt8(ascii: "\"") else { return until(";") }
            position += 1
            var output: [UInt8] = []
            while position < bytes.count, bytes[position] != UInt8(ascii: "\"") {
                // Browsers send file names with backslashes unescaped, so only `\"` and `\\` are escapes.
                if bytes[position] == UInt8(ascii: "\\"), position + 1 < bytes.count,
                    bytes[position + 1] == UInt8(ascii: "\"") || bytes[position + 1] == UInt8(ascii: "\\")
                {
                    position += 1
                }
                output.append(bytes[position])
                position += 1
            }
            _ = until(";")
            return output
        }

        private mutating func skipSpace() {
            while position < bytes.count, bytes[position] == 0x20 || bytes[position] == 0x09 { position += 1 }
        }

        private static func trimmed(_ slice: ArraySlice<UInt8>) -> [UInt8] {
            var slice = slice
            while let last = slice.last, last == 0x20 || last == 0x09 { slice.removeLast() }
            return Array(slice)
        }
    }
}
