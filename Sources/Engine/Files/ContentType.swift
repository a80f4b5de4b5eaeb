/// What a file is, as its first bytes show it.
package struct ContentType: Sendable, Equatable {
    /// The MIME type, e.g. `text/plain; charset=utf-8`.
    package let name: String
    /// The usual extension with its dot, or nothing.
    package let fileExtension: String

    /// How many bytes of a file are looked at.
    package static let sample = 3072

    package static let unknown = ContentType("application/octet-stream", "")

    private init(_ name: String, _ fileExtension: String) {
        self.name = name
        self.fileExtension = fileExtension
    }

    /// - Parameter bytes: the first ``sample`` bytes of a file, or all of a shorter one.
    package static func of(_ bytes: [UInt8]) -> ContentType {
        for signature in signatures where signature.fits(bytes) { return container(signature, bytes) }
        if let media = isoMedia(bytes) { return media }
        return TextTypes.of(bytes) ?? unknown
    }

    /// Bytes that a type has at a place.
    private struct Signature: Sendable {
        let type: ContentType
        let offset: Int
        let bytes: [UInt8]
        /// More bytes at a second place.
        var second: (offset: Int, bytes: [UInt8])?

        init(_ name: String, _ fileExtension: String, _ bytes: [UInt8], at offset: Int = 0) {
            type = ContentType(name, fileExtension)
            self.offset = offset
            self.bytes = bytes
        }

        init(_ name: String, _ fileExtension: String, _ text: String, at offset: Int = 0, then: (Int, String)? = nil) {
            self.init(name, fileExtension, Array(text.utf8), at: offset)
            if let then { second = (then.0, Array(then.1.utf8)) }
        }

        func fits(_ data: [UInt8]) -> Bool {
            guard ContentType.has(data, bytes, at: offset) else { return false }
            return second.map { ContentType.has(data, $0.bytes, at: $0.offset) } ?? true
        }
    }

    private static func has(_ data: [UInt8], _ bytes: [UInt8], at offset: Int) -> Bool {
        data.count >= offset + bytes.count && data[offset..<(offset + bytes.count)].elementsEqual(bytes)
    }

    private static let signatures: [Signature] = [
        Signature("application/x-7z-compressed", ".7z", [0x37, 0x7A, 0xBC, 0xAF, 0x27, 0x1C]),
        Signature("application/zip", ".zip", [0x50, 0x4B, 0x03, 0x04]),
        Signature("application/zip", ".zip", [0x50, 0x4B, 0x05, 0x06]),
        Signature("application/pdf", ".pdf", "%PDF-"),
        Signature("application/vnd.fdf", ".fdf", "%FDF-"),
        Signature("application/x-ole-storage", "", [0xD0, 0xCF, 0x11, 0xE0, 0xA1, 0xB1, 0x1A, 0xE1]),
        Signature("application/postscript", ".ps", "%!PS-Adobe-"),
        Signature("image/vnd.adobe.photoshop", ".psd", "8BPS"),
        Signature("application/pkcs7-signature", ".p7s", "-----BEGIN PKCS7"),
        Signature("audio/ogg", ".oga", "OggS", then: (28, "\u{1}vorbis")),
        Signature("audio/ogg", ".oga", "OggS", then: (28, "OpusHead")),
        Signature("video/ogg", ".ogv", "OggS", then: (28, "\u{80}theora")),
        Signature("application/ogg", ".ogg", "OggS"),
        Signature("image/png", ".png", [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]),
        Signature("image/jpeg", ".jpg", [0xFF, 0xD8, 0xFF]),
        Signature("image/jxl", ".jxl", [0xFF, 0x0A]),
        Signature("image/gif", ".gif", "GIF87a"), Signature("image/gif", ".gif", "GIF89a"),
        Signature("image/webp", ".webp", "RIFF", then: (8, "WEBP")),
        Signature("audio/mpeg", ".mp3", "ID3"),
        Signature("audio/mpeg", ".mp3", [0xFF, 0xFB]), Signature("audio/mpeg", ".mp3", [0xFF, 0xF3]),
        Signature("audio/mpeg", ".mp3", [0xFF, 0xF2]),
        Signature("audio/flac", ".flac", "fLaC"), Signature("audio/midi", ".midi", "MThd"),
        Signature("audio/ape", ".ape", "MAC "), Signature("audio/musepack", ".mpc", "MPCK"),
        Signature("audio/amr", ".amr", "#!AMR"),
        Signature("audio/wav", ".wav", "RIFF", then: (8, "WAVE")),
        Signature("audio/aiff", ".aiff", "FORM", then: (8, "AIFF")),
        Signature("audio/basic", ".au", ".snd"),
        Signature("video/x-msvideo", ".avi", "RIFF", then: (8, "AVI LIST")),
        Signature("video/x-flv", ".flv", "FLV\u{1}"),
        Signature("video/mpeg", ".mpeg", [0x00, 0x00, 0x01, 0xBA]),
        Signature("video/mpeg", ".mpeg", [0x00, 0x00, 0x01, 0xB3]),
        Signature("video/x-matroska", ".mkv", [0x1A, 0x45, 0xDF, 0xA3]),
        Signature("video/x-ms-asf", ".asf", [0x30, 0x26, 0xB2, 0x75, 0x8E, 0x66, 0xCF, 0x11]),
        Signature("audio/aac", ".aac", [0xFF, 0xF1]), Signature("audio/aac", ".aac", [0xFF, 0xF9]),
        Signature("image/tiff", ".tiff", [0x49, 0x49, 0x2A, 0x00]),
        Signature("image/tiff", ".tiff", [0x4D, 0x4D, 0x00, 0x2A]),
        Signature("image/bmp", ".bmp", "BM"),
        Signature("image/x-icon", ".ico", [0x00, 0x00, 0x01, 0x00]),
        Signature("image/vnd.djvu", ".djvu", "AT&TFORM"),
        Signature("image/vnd.radiance", ".hdr", "#?RADIANCE"),
        Signature("application/gzip", ".gz", [0x1F, 0x8B]),
        Signature("application/x-xz", ".xz", [0xFD, 0x37, 0x7A, 0x58, 0x5A, 0x00]),
        Signature("application/x-bzip2", ".bz2", "BZh"),
        Signature("application/zstd", ".zst", [0x28, 0xB5, 0x2F, 0xFD]),
        Signature("application/lzip", ".lz", "LZIP"),
        Signature("application/x-rar-compressed", ".rar", "Rar!\u{1A}\u{7}"),
        Signature("application/x-tar", ".tar", "ustar", at: 257),
        Signature("application/x-elf", "", [0x7F, 0x45, 0x4C, 0x46]),
        Signature("application/vnd.microsoft.portable-executable", ".exe", "MZ"),
        Signature("application/vnd.sqlite3", ".sqlite", "SQLite format 3\u{0}"),
        Signature("application/wasm", ".wasm", [0x00, 0x61, 0x73, 0x6D]),
        Signature("application/vnd.ms-fontobject", ".eot", "LP", at: 34),
        Signature("font/woff", ".woff", "wOFF"), Signature("font/woff2", ".woff2", "wOF2"),
        Signature("font/otf", ".otf", "OTTO"), Signature("font/ttf", ".ttf", [0x00, 0x01, 0x00, 0x00]),
        Signature("font/collection", ".ttc", "ttcf"),
        Signature("application/vnd.ms-cab-compressed", ".cab", "MSCF"),
        Signature("application/x-java-applet", ".class", [0xCA, 0xFE, 0xBA, 0xBE]),
        Signature("application/x-shockwave-flash", ".swf", "CWS"),
        Signature("application/x-shockwave-flash", ".swf", "FWS"),
        Signature("application/vnd.debian.binary-package", ".deb", "!<arch>\ndebian-binary"),
        Signature("application/x-archive", ".a", "!<arch>"),
        Signature("application/x-rpm", ".rpm", [0xED, 0xAB, 0xEE, 0xDB]),
        Signature("application/dicom", ".dcm", "DICM", at: 128),
        Signature("application/vnd.apache.parquet", ".parquet", "PAR1"),
    ]

    /// What kinds of archive are to tell apart by what they hold.
    private static func container(_ signature: Signature, _ bytes: [UInt8]) -> ContentType {
        switch signature.type.name {
        case "application/zip": return zip(bytes) ?? signature.type
        case "video/x-matroska":
            return contains(bytes.prefix(4096), "webm") ? ContentType("video/webm", ".webm") : signature.type
        default: return signature.type
        }
    }

    /// Documents that are zip archives, by the name of their entries.
    private static func zip(_ bytes: [UInt8]) -> ContentType? {
        let office = "application/vnd.openxmlformats-officedocument."
        if has(bytes, Array("mimetype".utf8), at: 30) {
            let kinds = [
                ("application/epub+zip", ".epub"), ("application/vnd.oasis.opendocument.text", ".odt"),
                ("application/vnd.oasis.opendocument.spreadsheet", ".ods"),
                ("application/vnd.oasis.opendocument.presentation", ".odp"),
                ("application/vnd.oasis.opendocument.graphics", ".odg"),
                ("application/vnd.oasis.opendocument.formula", ".odf"),
            ]
            for (name, suffix) in kinds where has(bytes, Array(name.utf8), at: 38) { return ContentType(name, suffix) }
        }
        if contains(bytes[...], "word/") { return ContentType(office + "wordprocessingml.document", ".docx") }
        if contains(bytes[...], "xl/") { return ContentType(office + "spreadsheetml.sheet", ".xlsx") }
        if contains(bytes[...], "ppt/") { return ContentType(office + "presentationml.presentation", ".pptx") }
        if contains(bytes[...], "AndroidManifest.xml") {
            return ContentType("application/vnd.android.package-archive", ".apk")
        }
        return contains(bytes[...], "META-INF/MANIFEST.MF") ? ContentType("application/java-archive", ".jar") : nil
    }

    private static func contains(_ bytes: ArraySlice<UInt8>, _ text: String) -> Bool {
        let wanted = Array(text.utf8)
        guard bytes.count >= wanted.count else { return false }
        return (bytes.startIndex...(bytes.endIndex - wanted.count)).contains {
            bytes[$0] == wanted[0] && bytes[$0..<($0 + wanted.count)].elementsEqual(wanted)
        }
    }

    /// MPEG-4 and its relatives, by their brand.
    private static func isoMedia(_ bytes: [UInt8]) -> ContentType? {
        guard has(bytes, Array("ftyp".utf8), at: 4), bytes.count >= 12 else { return nil }
        let brand = String(decoding: bytes[8..<12], as: UTF8.self)
        switch brand {
        case "avif", "avis": return ContentType("image/avif", ".avif")
        case "heic", "heix": return ContentType("image/heic", ".heic")
        case "hevc", "hevx": return ContentType("image/heic-sequence", ".heic")
        case "mif1": return ContentType("image/heif", ".heif")
        case "msf1": return ContentType("image/heif-sequence", ".heif")
        case "qt  ": return ContentType("video/quicktime", ".mov")
        case "M4A ": return ContentType("audio/x-m4a", ".m4a")
        case "M4V ", "M4VH", "M4VP": return ContentType("video/x-m4v", ".m4v")
        case "M4B ", "M4P ", "F4A ", "F4B ": return ContentType("audio/mp4", ".mp4")
        case "3gp4", "3gp5", "3gp6", "3gp7", "3ge6", "3gp9": return ContentType("video/3gpp", ".3gp")
        case "3g24", "3g25", "3g26", "3g2a", "3g2b", "3g2c": return ContentType("video/3gpp2", ".3g2")
        default: return ContentType("video/mp4", ".mp4")
        }
    }

    /// Text of some kind.
    private enum TextTypes {
        static func of(_ bytes: [UInt8]) -> ContentType? {
            if bytes.isEmpty { return ContentType("text/plain", ".txt") }
            if bytes.starts(with: [0xFE, 0xFF]) { return ContentType("text/plain; charset=utf-16be", ".txt") }
            if bytes.starts(with: [0xFF, 0xFE]) { return ContentType("text/plain; charset=utf-16le", ".txt") }
            let hasMark = bytes.starts(with: [0xEF, 0xBB, 0xBF])
            let body = hasMark ? bytes[3...] : bytes[...]
            if body.contains(where: isBinary) { return nil }
            let start = Array(body.drop { $0 <= 0x20 })
            if isHTML(start) { return ContentType("text/html; charset=utf-8", ".html") }
            if begins(start, "<?xml", ignoringCase: true) {
                return contains(start[...], "<svg")
                    ? ContentType("image/svg+xml", ".svg") : ContentType("text/xml; charset=utf-8", ".xml")
            }
            if contains(start[...], "<svg"), start.first == UInt8(ascii: "<") {
                return ContentType("image/svg+xml", ".svg")
            }
            if begins(start, "<?php") { return ContentType("text/x-php", ".php") }
            if begins(start, "{\\rtf") { return ContentType("text/rtf", ".rtf") }
            if begins(start, "BEGIN:VCARD") { return ContentType("text/vcard", ".vcf") }
            if begins(start, "BEGIN:VCALENDAR") { return ContentType("text/calendar", ".ics") }
            if begins(start, "WEBVTT") { return ContentType("text/vtt", ".vtt") }
            if let shell = script(start) { return shell }
            if isJSON(Array(body)) { return ContentType("application/json", ".json") }
            if isTable(body, separator: UInt8(ascii: ",")) { return ContentType("text/csv", ".csv") }
            if isTable(body, separator: 0x09) { return ContentType("text/tab-separated-values", ".tsv") }
            return ContentType("text/plain; charset=\(charset(body))", ".txt")
        }

        /// At least two lines that have the same number of columns, more than one.
        private static func isTable(_ bytes: ArraySlice<UInt8>, separator: UInt8) -> Bool {
            var lines = bytes.split(separator: 0x0A).map { $0.last == 0x0D ? $0.dropLast() : $0 }
            lines.removeAll { $0.isEmpty || $0.first == UInt8(ascii: "#") }
            // The sample may end inside of a line.
            if bytes.count >= ContentType.sample - 3 { lines = lines.dropLast() }
            guard lines.count > 1, let columns = columns(lines[0], separator), columns > 1 else { return false }
            return lines.allSatisfy { self.columns($0, separator) == columns }
        }

        /// How many columns a line has; nil when its quotes are not those of a table.
        private static func columns(_ line: ArraySlice<UInt8>, _ separator: UInt8) -> Int? {
            let quote = UInt8(ascii: "\"")
            var count = 1
            var isQuoted = false
            var isStart = true
            for byte in line {
                if byte == quote {
                    if !isQuoted && !isStart && line.contains(separator) == false { return nil }
                    isQuoted.toggle()
                } else if byte == separator, !isQuoted {
                    count += 1
                    isStart = true
                    continue
                }
                isStart = false
            }
            return isQuoted ? nil : count
        }

        private static func isBinary(_ byte: UInt8) -> Bool {
            byte <= 0x08 || byte == 0x0B || (0x0E...0x1A).contains(byte) || (0x1C...0x1F).contains(byte)
        }

        private static func begins(_ bytes: [UInt8], _ text: String, ignoringCase: Bool = false) -> Bool {
            let wanted = Array(text.utf8)
            guard bytes.count >= wanted.count else { return false }
            return Swift.zip(bytes, wanted).allSatisfy {
                $0 == $1 || ignoringCase && $0 | 0x20 == $1 | 0x20 && (0x61...0x7A).contains($1 | 0x20)
            }
        }

        /// The beginnings of WHATWG's MIME sniffing.
        private static func isHTML(_ bytes: [UInt8]) -> Bool {
            let tags = [
                "<!DOCTYPE HTML", "<HTML", "<HEAD", "<SCRIPT", "<IFRAME", "<H1", "<DIV", "<FONT", "<TABLE", "<A",
                "<STYLE", "<TITLE", "<B", "<BODY", "<BR", "<P",
            ]
            return tags.contains { tag in
                guard begins(bytes, tag, ignoringCase: true), bytes.count > tag.utf8.count else { return false }
                return [0x20, UInt8(ascii: ">")].contains(bytes[tag.utf8.count])
            } || begins(bytes, "<!--")
        }

        private static func script(_ bytes: [UInt8]) -> ContentType? {
            guard begins(bytes, "#!") else { return nil }
            let line = String(decoding: bytes.prefix { $0 != 0x0A }, as: UTF8.self)
            if line.hasSuffix("node") { return ContentType("text/javascript", ".js") }
            if line.contains("python") { return ContentType("text/x-python", ".py") }
            if line.hasSuffix("perl") { return ContentType("text/x-perl", ".pl") }
            if line.hasSuffix("sh") { return ContentType("text/x-shellscript", ".sh") }
            return nil
        }

        /// A whole document, or one that goes on behind the sample.
        private static func isJSON(_ bytes: [UInt8]) -> Bool {
            guard let first = bytes.first(where: { $0 > 0x20 }), "{[".utf8.contains(first) else { return false }
            return JSONBeginning.isOne(bytes, isCut: bytes.count >= ContentType.sample)
        }

        private static func charset(_ bytes: ArraySlice<UInt8>) -> String {
            // The sample may end inside of a character.
            let cut = bytes.count >= ContentType.sample - 3 ? bytes.dropLast(3) : bytes
            return String(validating: cut, as: UTF8.self) == nil ? isLatin(cut) : "utf-8"
        }

        private static func isLatin(_ bytes: ArraySlice<UInt8>) -> String {
            bytes.contains { (0x80...0x9F).contains($0) } ? "windows-1252" : "iso-8859-1"
        }
    }
}

/// Whether bytes are the beginning of a JSON document.
private enum JSONBeginning {
    static func isOne(_ bytes: [UInt8], isCut: Bool) -> Bool {
        var depth = 0
        var inText = false
        var isEscaped = false
        var isOver = false
        for byte in bytes {
            if isOver {
                if byte > 0x20 { return false }
                continue
            }
            if inText {
                if isEscaped {
                    isEscaped = false
                } else if byte == UInt8(ascii: "\\") {
                    isEscaped = true
                } else if byte == UInt8(ascii: "\"") {
                    inText = false
                } else if byte < 0x20 {
                    return false
                }
                continue
            }
            switch byte {
            case UInt8(ascii: "\""): inText = true
            case UInt8(ascii: "{"), UInt8(ascii: "["): depth += 1
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                depth -= 1
                isOver = depth == 0
            case 0x30...0x39, UInt8(ascii: "-"), UInt8(ascii: "+"), UInt8(ascii: "."), UInt8(ascii: ":"),
                UInt8(ascii: ","), 0x20, 0x09, 0x0A, 0x0D:
                break
            case 0x61...0x7A, UInt8(ascii: "E"): break
            default: return false
            }
        }
        return isOver || isCut
    }
}
