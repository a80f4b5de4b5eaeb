/// Text in the headers of a mail (RFC 5322, RFC 2047).
enum HeaderText {
    /// Whether a text has characters that would end a header or hide in it.
    static func hasControls(_ text: String) -> Bool { text.utf8.contains { $0 < 0x20 && $0 != 0x09 || $0 == 0x7F } }

    /// Whether a text may name a header.
    static func isName(_ text: String) -> Bool {
        !text.isEmpty && text.utf8.count <= 100
            && text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: ":") }
    }

    /// A text for messages to people: short and without controls.
    static func shown(_ text: String) -> String {
        String(String.UnicodeScalarView(text.unicodeScalars.prefix(200).map { $0.value < 0x20 ? " " : $0 }))
    }

    /// A name before an address.
    static func phrase(_ name: String) -> String {
        guard name.utf8.allSatisfy({ $0 >= 0x20 && $0 < 0x7F }) else { return words(name) }
        return "\"" + name.unicodeScalars.map { "\\\"".unicodeScalars.contains($0) ? "\\\($0)" : "\($0)" }.joined()
            + "\""
    }

    /// A text as encoded words where it is not plain ASCII.
    static func encode(_ text: String) -> String {
        text.utf8.allSatisfy { $0 >= 0x20 && $0 < 0x7F } && text.utf8.count <= 900 ? text : words(text)
    }

    /// `=?utf-8?q?…?=`, each word of at most 75 characters and of whole characters, one on a line.
    private static func words(_ text: String) -> String {
        let digits = Array("0123456789ABCDEF".utf8)
        var lines: [String] = []
        var line: [UInt8] = []
        for scalar in text.unicodeScalars {
            var encoded: [UInt8] = []
            for byte in String(scalar).utf8 {
                switch byte {
                case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: encoded.append(byte)
                case 0x20: encoded.append(UInt8(ascii: "_"))
                default: encoded += [UInt8(ascii: "="), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
                }
            }
            if line.count + encoded.count > 62 {
                lines.append("=?utf-8?q?\(String(decoding: line, as: UTF8.self))?=")
                line = []
            }
            line += encoded
        }
        lines.append("=?utf-8?q?\(String(decoding: line, as: UTF8.self))?=")
        return lines.joined(separator: "\r\n ")
    }
}
