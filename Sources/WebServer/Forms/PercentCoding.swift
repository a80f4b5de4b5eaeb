/// Percent-encoding of RFC 3986, and the `+` for a space of HTML forms.
package enum PercentCoding {
    /// Decodes `%XX` (and `+` when `plusIsSpace`). Broken escapes stay; bytes that are not UTF-8 are replaced.
    package static func decode(_ bytes: some Collection<UInt8>, plusIsSpace: Bool = false) -> String {
        var output: [UInt8] = []
        output.reserveCapacity(bytes.count)
        var index = bytes.startIndex
        while index != bytes.endIndex {
            let byte = bytes[index]
            index = bytes.index(after: index)
            if byte == UInt8(ascii: "%"), index != bytes.endIndex, let high = ASCII.hex(bytes[index]) {
                let second = bytes.index(after: index)
                if second != bytes.endIndex, let low = ASCII.hex(bytes[second]) {
                    output.append(high << 4 | low)
                    index = bytes.index(after: second)
                    continue
                }
            }
            output.append(plusIsSpace && byte == UInt8(ascii: "+") ? UInt8(ascii: " ") : byte)
        }
        return String(decoding: output, as: UTF8.self)
    }

    package static func decode(_ text: String, plusIsSpace: Bool = false) -> String {
        decode(text.utf8, plusIsSpace: plusIsSpace)
    }

    /// Encodes everything but RFC 3986's unreserved characters, so that the result fits any part of a URL.
    package static func encode(_ text: String) -> String {
        let digits = Array("0123456789ABCDEF".utf8)
        var output: [UInt8] = []
        output.reserveCapacity(text.utf8.count)
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
                UInt8(ascii: "~"):
                output.append(byte)
            default:
                output.append(UInt8(ascii: "%"))
                output.append(digits[Int(byte >> 4)])
                output.append(digits[Int(byte & 15)])
            }
        }
        return String(decoding: output, as: UTF8.self)
    }
}
