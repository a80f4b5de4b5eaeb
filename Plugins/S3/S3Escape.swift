/// How keys and metadata are written in URLs and headers.
enum S3Escape {
    private static let digits = Array("0123456789ABCDEF".utf8)

    /// The characters that Signature V4 leaves as they are.
    static func isUnreserved(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
            || byte == 0x2D || byte == 0x2E || byte == 0x5F || byte == 0x7E
    }

    private static func escape(_ text: String, _ stays: (UInt8) -> Bool) -> String {
        if text.utf8.allSatisfy(stays) { return text }
        var out: [UInt8] = []
        for byte in text.utf8 {
            if stays(byte) {
                out.append(byte)
            } else {
                out += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        return String(decoding: out, as: UTF8.self)
    }

    /// For a part of a path or of a query.
    static func segment(_ text: String) -> String { escape(text, isUnreserved) }

    /// For a path: slashes stay.
    static func path(_ text: String) -> String { escape(text) { isUnreserved($0) || $0 == 0x2F } }

    /// For the values of metadata, which PocketBase writes like segments of URLs in Go.
    static func metadata(_ text: String) -> String {
        escape(text) { isUnreserved($0) || "$&+:=@".utf8.contains($0) }
    }

    /// The reverse of ``segment(_:)`` and ``metadata(_:)``; what is not escaped properly stays.
    static func unescape(_ text: String) -> String {
        func digit(_ byte: UInt8) -> UInt8? {
            switch byte {
            case 0x30...0x39: byte - 0x30
            case 0x41...0x46: byte - 0x37
            case 0x61...0x66: byte - 0x57
            default: nil
            }
        }
        let bytes = Array(text.utf8)
        var out: [UInt8] = []
        var index = 0
        while index < bytes.count {
            guard bytes[index] == UInt8(ascii: "%") else {
                out.append(bytes[index])
                index += 1
                continue
            }
            guard index + 2 < bytes.count, let high = digit(bytes[index + 1]), let low = digit(bytes[index + 2]) else {
                return text
            }
            out.append(high << 4 | low)
            index += 3
        }
        return String(decoding: out, as: UTF8.self)
    }

    /// A key as it is stored: what S3 services stumble over is written as PocketBase writes it, `__0x<hex>__`.
    static func key(_ key: String) -> String {
        let scalars = Array(key.unicodeScalars)
        func isUnsafe(_ index: Int) -> Bool {
            let scalar = scalars[index]
            return scalar.value < 32
                || scalar == "/" && index > 1 && scalars[index - 1] == "." && scalars[index - 2] == "."
        }
        guard scalars.indices.contains(where: isUnsafe) else { return key }
        var out = String.UnicodeScalarView()
        for index in scalars.indices {
            if isUnsafe(index) {
                out += "__0x\(String(scalars[index].value, radix: 16))__".unicodeScalars
            } else {
                out.append(scalars[index])
            }
        }
        return String(out)
    }

    /// The reverse of ``key(_:)``.
    static func storedKey(_ key: String) -> String {
        let bytes = Array(key.utf8)
        let start = Array("__0x".utf8)
        var out: [UInt8] = []
        var index = 0
        while index < bytes.count {
            if bytes[index...].starts(with: start), let end = escapeEnd(bytes, index + 4),
                let value = UInt32(String(decoding: bytes[(index + 4)..<end], as: UTF8.self), radix: 16),
                let scalar = Unicode.Scalar(value)
            {
                out += String(Character(scalar)).utf8
                index = end + 2
            } else {
                out.append(bytes[index])
                index += 1
            }
        }
        return String(decoding: out, as: UTF8.self)
    }

    /// Where the digits of an escape that begin at an index end; nil when nothing ends them.
    private static func escapeEnd(_ bytes: [UInt8], _ start: Int) -> Int? {
        var end = start
        while end < bytes.count, end - start < 8, bytes[end] != UInt8(ascii: "_") { end += 1 }
        guard end > start, end + 1 < bytes.count, bytes[end] == UInt8(ascii: "_"), bytes[end + 1] == UInt8(ascii: "_")
        else { return nil }
        return end
    }
}
