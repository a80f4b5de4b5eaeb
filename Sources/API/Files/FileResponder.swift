import Engine
import WebServer

/// Answers with a file: whole, in part, or not at all because the client has it (RFC 9110).
enum FileResponder {
    /// Types that a browser may show; everything else is to be saved.
    private static let shown: Set<String> = [
        "image/png", "image/jpg", "image/jpeg", "image/gif", "image/webp", "image/x-icon", "image/bmp", "video/webm",
        "video/mp4", "video/3gpp", "video/quicktime", "video/x-ms-wmv", "audio/basic", "audio/aiff", "audio/mpeg",
        "audio/midi", "audio/mp3", "audio/wave", "audio/wav", "audio/x-wav", "audio/x-mpeg", "audio/x-m4a",
        "audio/aac", "application/pdf", "application/x-pdf",
    ]

    /// Types by extension where the content does not show enough.
    private static let byExtension = [
        "svg": "image/svg+xml", "css": "text/css", "js": "text/javascript", "mjs": "text/javascript",
        "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        "pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    ]

    /// Nothing in a stored file may run or reach anything in the name of this server.
    private static let policy = "default-src 'none'; media-src 'self'; style-src 'unsafe-inline'; sandbox"

    /// Answers with a stored file.
    ///
    /// - Parameter source: where its bytes come from.
    static func answer(
        _ exchange: Exchange, _ file: FileInformation, from source: FileContent? = nil, name: String, isDownload: Bool
    ) {
        guard let source = source ?? file.path.map({ .local(path: $0) }) else {
            return exchange.fail(ServiceError.notFound())
        }
        exchange.request.replaceFixedHeaders(Services.fileHeaders)
        let suffix = name.split(separator: ".", omittingEmptySubsequences: false).last.map(String.init) ?? ""
        let type = byExtension[suffix] ?? file.contentType
        let disposition = !isDownload && shown.contains(file.contentType) ? "inline" : "attachment"
        // Names are the host's own; one that came with another server's folder may have anything in it.
        let isPlain = name.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && !"\"\\;,".utf8.contains($0) }
        let shownName = isPlain ? "\"\(name)\"" : "\"file\"; filename*=utf-8''" + escaped(name)
        answer(
            exchange, source, size: file.size, modified: file.modified,
            headers: [
                ("Content-Disposition", "\(disposition); filename=\(shownName)"), ("Content-Type", type),
                ("Content-Security-Policy", policy),
                ("Cache-Control", "max-age=2592000, stale-while-revalidate=86400"),
            ])
    }

    private static func escaped(_ name: String) -> String {
        let digits = Array("0123456789ABCDEF".utf8)
        var out: [UInt8] = []
        for byte in name.utf8 {
            let isWord =
                (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
                || "-._~".utf8.contains(byte)
            out += isWord ? [byte] : [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
        }
        return String(decoding: out, as: UTF8.self)
    }

    /// The entity tag of a file; `suffix` tells its forms apart.
    static func tag(size: Int, modified: Int, suffix: String = "") -> String {
        "\"\(String(modified, radix: 36))-\(String(size, radix: 36))\(suffix)\""
    }

    /// Answers with a file, as its conditional and range headers ask.
    ///
    /// - Parameters:
    ///   - size: in bytes.
    ///   - modified: Unix seconds.
    ///   - headers: of an answer with content.
    static func answer(_ exchange: Exchange, path: String, size: Int, modified: Int, headers: [(String, String)]) {
        answer(exchange, .local(path: path), size: size, modified: modified, headers: headers)
    }

    private static func answer(
        _ exchange: Exchange, _ source: FileContent, size: Int, modified: Int, headers: [(String, String)]
    ) {
        let request = exchange.request
        let tag = tag(size: size, modified: modified)
        let validators = [("Last-Modified", HTTPDate.text(modified)), ("ETag", tag)]
        switch Preconditions(request).check(tag: tag, modified: modified) {
        case .failed:
            exchange.responder.send(Response(status: 412, headers: headers + validators))
            return
        case .notModified:
            let kept = headers.filter { $0.0 != "Content-Type" }
            exchange.responder.send(Response(status: 304, headers: kept + validators))
            return
        case .send: break
        }
        let all = headers + validators + [("Accept-Ranges", "bytes")]
        func whole() { source.send(exchange, status: 200, headers: all, 0..<size) }
        guard let value = request.headers.first("Range"),
            Preconditions(request).allowsRange(tag: tag, modified: modified)
        else { return whole() }
        switch ByteRanges(value, size: size) {
        case .whole: whole()
        case .one(let range):
            source.send(
                exchange, status: 206,
                headers: all + [("Content-Range", "bytes \(range.lowerBound)-\(range.upperBound - 1)/\(size)")], range)
        case .several(let ranges):
            guard MultipartRanges.fit(ranges) else { return whole() }
            MultipartRanges.answer(exchange, source, size: size, ranges: ranges, headers: all)
        case .unsatisfiable:
            refuse(exchange, "invalid range: failed to overlap", headers + [("Content-Range", "bytes */\(size)")])
        case .malformed: refuse(exchange, "invalid range", headers)
        }
    }

    /// Answers 416, which is not to be kept.
    private static func refuse(_ exchange: Exchange, _ reason: String, _ headers: [(String, String)]) {
        let kept = headers.filter { $0.0 != "Content-Type" && $0.0 != "Cache-Control" }
        exchange.responder.send(
            Response(
                status: 416, headers: kept + [("Content-Type", "text/plain; charset=utf-8")],
                body: .bytes(Array((reason + "\n").utf8))))
    }
}
