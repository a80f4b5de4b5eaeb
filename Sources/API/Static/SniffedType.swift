/// What a file seems to be, by the patterns of the WHATWG's MIME Sniffing standard (sections 7.1 and 6), as far as Go's
/// server knows them.
enum SniffedType {
    /// How many bytes are looked at.
    static let sample = 512
    static let unknown = "application/octet-stream"

    static func of(_ bytes: [UInt8]) -> String {
        let sample = bytes.prefix(Self.sample)
        let text = sample.drop { [0x09, 0x0A, 0x0C, 0x0D, 0x20].contains($0) }
        if isHTML(text) { return "text/html; charset=utf-8" }
        if text.starts(with: "<?xml".utf8) { return "text/xml; charset=utf-8" }
        for pattern in patterns where pattern.fits(sample) { return pattern.type }
        if isMP4(sample) { return "video/mp4" }
        let isBinary = text.contains { byte in
            byte <= 0x08 || byte == 0x0B || (0x0E...0x1A).contains(byte) || (0x1C...0x1F).contains(byte)
        }
        return isBinary ? unknown : "text/plain; charset=utf-8"
    }

    private static let tags = [
        "<!DOCTYPE HTML", "<HTML", "<HEAD", "<SCRIPT", "<IFRAME", "<H1", "<DIV", "<FONT", "<TABLE", "<A", "<STYLE",
        "<TITLE", "<B", "<BODY", "<BR", "<P", "<!--",
    ]

    /// A tag of a page, with a space or its end behind it.
    private static func isHTML(_ text: ArraySlice<UInt8>) -> Bool {
        tags.contains { tag in
            guard text.count > tag.utf8.count else { return false }
            let begins = zip(text, tag.utf8).allSatisfy { byte, wanted in
                byte == wanted || (0x41...0x5A).contains(wanted) && byte == wanted | 0x20
            }
            guard begins else { return false }
            let next = text[text.startIndex + tag.utf8.count]
            return next == 0x20 || next == UInt8(ascii: ">")
        }
    }

    /// Bytes at a place; -1 stands for any.
    private struct Pattern: Sendable {
        let type: String
        let bytes: [Int]

        init(_ type: String, _ bytes: [Int]) {
            self.type = type
            self.bytes = bytes
        }

        init(_ type: String, _ text: String) { self.init(type, text.utf8.map { $0 == 0x3F ? -1 : Int($0) }) }

        func fits(_ sample: ArraySlice<UInt8>) -> Bool {
            sample.count >= bytes.count && zip(sample, bytes).allSatisfy { $1 < 0 || Int($0) == $1 }
        }
    }

    private static let patterns = [
        Pattern("application/pdf", "%PDF-"), Pattern("application/postscript", "%!PS-Adobe-"),
        Pattern("text/plain; charset=utf-16be", [0xFE, 0xFF, -1, -1]),
        Pattern("text/plain; charset=utf-16le", [0xFF, 0xFE, -1, -1]),
        Pattern("text/plain; charset=utf-8", [0xEF, 0xBB, 0xBF, -1]),
        Pattern("image/x-icon", [0, 0, 1, 0]), Pattern("image/x-icon", [0, 0, 2, 0]), Pattern("image/bmp", "BM"),
        Pattern("image/gif", "GIF87a"), Pattern("image/gif", "GIF89a"), Pattern("image/webp", "RIFF????WEBPVP"),
        Pattern("image/png", [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]),
        Pattern("image/jpeg", [0xFF, 0xD8, 0xFF]), Pattern("audio/basic", ".snd"),
        Pattern("audio/aiff", "FORM????AIFF"), Pattern("audio/mpeg", "ID3"),
        Pattern("application/ogg", [0x4F, 0x67, 0x67, 0x53, 0]),
        Pattern("audio/midi", [0x4D, 0x54, 0x68, 0x64, 0, 0, 0, 6]),
        Pattern("video/avi", "RIFF????AVI "), Pattern("audio/wave", "RIFF????WAVE"),
        Pattern("video/webm", [0x1A, 0x45, 0xDF, 0xA3]), Pattern("font/ttf", [0, 1, 0, 0]), Pattern("font/otf", "OTTO"),
        Pattern("font/collection", "ttcf"), Pattern("font/woff", "wOFF"), Pattern("font/woff2", "wOF2"),
        Pattern("application/x-gzip", [0x1F, 0x8B, 8]), Pattern("application/zip", [0x50, 0x4B, 3, 4]),
        Pattern("application/x-rar-compressed", [0x52, 0x61, 0x72, 0x21, 0x1A, 7, 0]),
        Pattern("application/x-rar-compressed", [0x52, 0x61, 0x72, 0x21, 0x1A, 7, 1, 0]),
        Pattern("application/wasm", [0, 0x61, 0x73, 0x6D]),
    ]

    /// A file of boxes one of whose brands begins with `mp4`.
    private static func isMP4(_ bytes: ArraySlice<UInt8>) -> Bool {
        let bytes = Array(bytes)
        guard bytes.count >= 12, bytes[4..<8].elementsEqual("ftyp".utf8) else { return false }
        let size = bytes[..<4].reduce(0) { $0 << 8 | Int($1) }
        guard size <= bytes.count, size % 4 == 0, size >= 12 else { return false }
        return stride(from: 8, to: size, by: 4).contains { $0 != 12 && bytes[$0..<($0 + 3)].elementsEqual("mp4".utf8) }
    }
}
