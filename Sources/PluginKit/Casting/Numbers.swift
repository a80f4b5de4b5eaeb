internal import Glibc

extension Cast {
    /// A number as Go's strconv.ParseFloat reads it: decimal or hexadecimal floating point, infinities and NaN, no
    /// spaces around it, underscores between digits; what it refuses or cannot
    /// hold is 0.
    public static func number(_ utf8: UnsafeBufferPointer<UInt8>) -> Double {
        if let integer = shortInteger(utf8) { return integer }
        var text = utf8[...]
        var sign = 1.0
        if let first = text.first, first == 0x2B || first == 0x2D {
            if first == 0x2D { sign = -1 }
            text = text.dropFirst()
        }
        // Only words begin with a letter.
        if let first = text.first, first >= 0x41 {
            switch String(decoding: text, as: UTF8.self).lowercased() {
            case "inf", "infinity": return sign * .infinity
            // Go takes no sign before NaN.
            case "nan": return text.count == utf8.count ? .nan : 0
            default: return 0
            }
        }
        guard let plain = literal(text) else { return 0 }
        let number = plain.withCString { strtod($0, nil) }
        return number.isInfinite ? 0 : sign * number
    }

    /// Up to 15 digits, which nearly all numbers are, read without a detour.
    private static func shortInteger(_ utf8: UnsafeBufferPointer<UInt8>) -> Double? {
        guard utf8.count > 0, utf8.count <= 15 else { return nil }
        var result = 0
        for byte in utf8 {
            guard byte >= 0x30, byte <= 0x39 else { return nil }
            result = result * 10 + Int(byte - 0x30)
        }
        return Double(result)
    }

    /// The text as strtod reads it, or nil when it is no number of Go's. The grammar is checked here because strtod
    /// takes less and more.
    private static func literal(_ text: Slice<UnsafeBufferPointer<UInt8>>) -> String? {
        var bytes = Array(text)
        var isHex = false
        if bytes.count > 2, bytes[0] == 0x30, bytes[1] | 0x20 == 0x78 {
            isHex = true
            bytes.removeFirst(2)
        }
        var plain: [UInt8] = isHex ? [0x30, 0x78] : []
        var digits = 0
        var seenPoint = false
        var exponentDigits: Int?
        // What stands before; a base prefix counts as a digit.
        var previous: UInt8 = isHex ? 0x30 : 0
        for (position, byte) in bytes.enumerated() {
            let isMark = exponentDigits == nil && (isHex ? byte | 0x20 == 0x70 : byte | 0x20 == 0x65)
            switch byte {
            case 0x30...0x39:
                if let count = exponentDigits { exponentDigits = count + 1 } else { digits += 1 }
            case 0x5F:
                // Underscores stand between digits only.
                let next = position + 1 < bytes.count ? bytes[position + 1] : 0
                guard isDigit(previous, isHex), isDigit(next, isHex) else { return nil }
                previous = byte
                continue
            case 0x2E:
                guard !seenPoint, exponentDigits == nil else { return nil }
                seenPoint = true
            case 0x2B, 0x2D:
                guard exponentDigits == 0, previous | 0x20 == (isHex ? 0x70 : 0x65) else { return nil }
            case _ where isMark:
                guard digits > 0 else { return nil }
                exponentDigits = 0
            case _ where isHex && exponentDigits == nil && isDigit(byte, isHex):
                digits += 1
            default:
                return nil
            }
            plain.append(byte)
            previous = byte
        }
        guard digits > 0, exponentDigits != 0 else { return nil }
        // A hexadecimal mantissa needs an exponent.
        if isHex, exponentDigits == nil { return nil }
        return String(decoding: plain, as: UTF8.self)
    }

    private static func isDigit(_ byte: UInt8, _ isHex: Bool) -> Bool {
        (0x30...0x39).contains(byte) || isHex && (0x61...0x66).contains(byte | 0x20)
    }
}
