import Glibc

/// The content type of a file in the public folder: by its extension as Go's server finds it, else by its beginning.
enum StaticType {
    /// - Parameter path: of a regular file.
    static func of(_ path: String) -> String {
        let name = path.utf8[(path.utf8.lastIndex(of: UInt8(ascii: "/")) ?? path.startIndex)...]
        guard let dot = name.lastIndex(of: UInt8(ascii: ".")) else { return sniffed(path) }
        let suffix = String(decoding: name[name.index(after: dot)...], as: UTF8.self)
        if let type = common[suffix] ?? common[suffix.lowercased()] { return type }
        guard let type = MachineTypes.shared[suffix] ?? MachineTypes.shared[suffix.lowercased()] else {
            return sniffed(path)
        }
        return type.hasPrefix("text/") && !type.contains("charset") ? type + "; charset=utf-8" : type
    }

    private static func sniffed(_ path: String) -> String {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { return SniffedType.unknown }
        defer { close(descriptor) }
        let beginning = [UInt8](unsafeUninitializedCapacity: SniffedType.sample) { buffer, count in
            count = max(Glibc.read(descriptor, buffer.baseAddress, buffer.count), 0)
        }
        return SniffedType.of(beginning)
    }

    private static let common = [
        "html": "text/html; charset=utf-8", "htm": "text/html; charset=utf-8", "css": "text/css; charset=utf-8",
        "js": "text/javascript; charset=utf-8", "mjs": "text/javascript; charset=utf-8",
        "json": "application/json", "xml": "text/xml; charset=utf-8", "txt": "text/plain; charset=utf-8",
        "md": "text/markdown; charset=utf-8", "csv": "text/csv; charset=utf-8", "wasm": "application/wasm",
        "pdf": "application/pdf", "zip": "application/zip", "gz": "application/gzip", "svg": "image/svg+xml",
        "png": "image/png", "jpg": "image/jpeg", "jpeg": "image/jpeg", "gif": "image/gif", "webp": "image/webp",
        "avif": "image/avif", "bmp": "image/bmp", "ico": "image/vnd.microsoft.icon", "woff": "font/woff",
        "woff2": "font/woff2", "ttf": "font/ttf", "mp4": "video/mp4", "webm": "video/webm", "mp3": "audio/mpeg",
        "wav": "audio/wav", "flac": "audio/flac",
    ]
}

/// The types that the machine knows by extension, from where Go's server looks for them. Read when a file first asks.
private enum MachineTypes {
    static let shared: [String: String] = {
        for place in ["/usr/local/share/mime/globs2", "/usr/share/mime/globs2"] {
            var types: [String: String] = [:]
            let isThere = lines(of: place) { line in
                // `50:text/html:*.html`, the most certain first.
                let parts = line.split(separator: ":", omittingEmptySubsequences: false)
                guard parts.count >= 3, parts[2].hasPrefix("*."), !line.hasPrefix("#") else { return }
                let suffix = parts[2].dropFirst(2)
                guard !suffix.contains(where: { "?*[".contains($0) }), types[String(suffix)] == nil else { return }
                types[String(suffix)] = String(parts[1])
            }
            if isThere { return types }
        }
        var types: [String: String] = [:]
        for place in ["/etc/mime.types", "/etc/apache2/mime.types", "/etc/apache/mime.types"] {
            lines(of: place) { line in
                let words = line.split(whereSeparator: { $0 == " " || $0 == "\t" })
                guard let type = words.first, !type.hasPrefix("#") else { return }
                for word in words.dropFirst().prefix(while: { !$0.hasPrefix("#") }) {
                    types[String(word)] = String(type)
                }
            }
        }
        return types
    }()

    @discardableResult
    private static func lines(of path: String, _ body: (Substring) -> Void) -> Bool {
        guard let file = fopen(path, "re") else { return false }
        defer { fclose(file) }
        var line: UnsafeMutablePointer<CChar>?
        var capacity = 0
        defer { free(line) }
        while getline(&line, &capacity, file) > 0, let text = line.map({ String(cString: $0) }) {
            body(text.hasSuffix("\n") ? text.dropLast() : text[...])
        }
        return true
    }
}
