/// `application/x-www-form-urlencoded` and query strings: the same grammar.
package enum URLEncodedForm {
    /// The pairs in the order sent, decoded. As in Go, pairs with a semicolon or a broken escape are left out.
    package static func parse(_ bytes: some Collection<UInt8>) -> [(name: String, value: String)] {
        var items: [(name: String, value: String)] = []
        for pair in bytes.split(separator: UInt8(ascii: "&")) {
            guard !pair.contains(UInt8(ascii: ";")), hasOnlyWholeEscapes(pair) else { continue }
            if let equals = pair.firstIndex(of: UInt8(ascii: "=")) {
                items.append(
                    (
                        PercentCoding.decode(pair[..<equals], plusIsSpace: true),
                        PercentCoding.decode(pair[pair.index(after: equals)...], plusIsSpace: true)
                    )
                )
            } else {
                items.append((PercentCoding.decode(pair, plusIsSpace: true), ""))
            }
        }
        return items
    }

    private static func hasOnlyWholeEscapes(_ bytes: some Collection<UInt8>) -> Bool {
        var expected = 0
        for byte in bytes {
            if expected > 0 {
                guard ASCII.hex(byte) != nil else { return false }
                expected -= 1
            } else if byte == UInt8(ascii: "%") {
                expected = 2
            }
        }
        return expected == 0
    }
}
