/// Quotes a text as Go's strconv.Quote does, which PocketBase takes for JSON. For some control characters it is not:
/// such texts are then refused as invalid JSON, here as there.
enum GoQuote {
    static func quote(_ utf8: UnsafeBufferPointer<UInt8>) -> String {
        var result: [UInt8] = [UInt8(ascii: "\"")]
        result.reserveCapacity(utf8.count + utf8.count / 8 + 2)
        var start = 0
        var position = 0
        while position < utf8.count {
            let byte = utf8[position]
            // Nearly all is copied as it is, in runs.
            if byte >= 0x20, byte < 0x7F, byte != 0x22, byte != 0x5C {
                position += 1
                continue
            }
            result.append(contentsOf: utf8[start..<position])
            let count = byte < 0x80 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4
            let end = min(position + count, utf8.count)
            if byte < 0x80 {
                result.append(contentsOf: escape(byte).utf8)
            } else if let scalar = String(decoding: utf8[position..<end], as: UTF8.self).unicodeScalars.first {
                if isPrintable(scalar) {
                    result.append(contentsOf: utf8[position..<end])
                } else if scalar.value < 0x10000 {
                    result.append(contentsOf: ("\\u" + hex(scalar.value, 4)).utf8)
                } else {
                    result.append(contentsOf: ("\\U" + hex(scalar.value, 8)).utf8)
                }
            }
            position = end
            start = end
        }
        result.append(contentsOf: utf8[start...])
        result.append(UInt8(ascii: "\""))
        return String(decoding: result, as: UTF8.self)
    }

    private static func escape(_ byte: UInt8) -> String {
        switch byte {
        case 0x22: "\\\""
        case 0x5C: "\\\\"
        case 0x07: "\\a"
        case 0x08: "\\b"
        case 0x0C: "\\f"
        case 0x0A: "\\n"
        case 0x0D: "\\r"
        case 0x09: "\\t"
        case 0x0B: "\\v"
        default: "\\x" + hex(UInt32(byte), 2)
        }
    }

    /// Letters, marks, numbers, punctuation and symbols.
    private static func isPrintable(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator, .paragraphSeparator,
            .spaceSeparator:
            false
        default: true
        }
    }

    private static func hex(_ value: UInt32, _ width: Int) -> String {
        let digits = String(value, radix: 16)
        return String(repeating: "0", count: width - digits.count) + digits
    }
}
