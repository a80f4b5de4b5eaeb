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
    static func answer(
        _ exchange: Exchange, _ file: LocalFileStorage.Information, name: String, isDownload: Bool
    ) {
        exchange.request.replaceFixedHeaders(Services.fileHeaders)
        let suffix = name.split(separator: ".", omittingEmptySubsequences: false).last.map(String.init) ?? ""
        let type = byExtension[suffix] ?? file.contentType
        let disposition = !isDownload && shown.contains(file.contentType) ? "inline" : "attachment"
        // Names are the host's own; one that came with another server's folder may have anything in it.
        let isPlain = name.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && !"\"\\;,".utf8.contains($0) }
        let shownName = isPlain ? "\"\(name)\"" : "\"file\"; filename*=utf-8''" + escaped(name)
        answer(
            exchange, path: file.path, size: file.size, modified: file.modified,
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

    /// Answers with a file, as its conditional and range headers ask.
    ///
    /// - Parameters:
    ///   - size: in bytes.
    ///   - modified: Unix seconds.
    ///   - headers: of an answer with content.
    static func answer(_ exchange: Exchange, path: String, size: Int, modified: Int, headers: [(String, String)]) {
        let request = exchange.request
        let tag = "\"\(String(modified, radix: 36))-\(String(size, radix: 36))\""
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
        let whole = Response(headers: all, body: .file(path: path, offset: 0, length: size))
        guard let value = request.headers.first("Range"),
            Preconditions(request).allowsRange(tag: tag, modified: modified)
        else {
            exchange.responder.send(whole)
            return
        }
        switch ByteRanges(value, size: size) {
        case .whole: exchange.responder.send(whole)
        case .one(let range):
            exchange.responder.send(
                Response(
                    status: 206,
                    headers: all + [("Content-Range", "bytes \(range.lowerBound)-\(range.upperBound - 1)/\(size)")],
                    body: .file(path: path, offset: range.lowerBound, length: range.count)))
        case .several(let ranges):
            MultipartRanges.answer(exchange, path: path, size: size, ranges: ranges, headers: all)
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

/// The conditional headers of a request.
struct Preconditions {
    enum Outcome { case send, notModified, failed }

    private let request: Request

    init(_ request: Request) { self.request = request }

    private func header(_ name: String) -> String? {
        guard let value = request.headers.first(name), !value.isEmpty else { return nil }
        return value
    }

    func check(tag: String, modified: Int) -> Outcome {
        if let match = header("If-Match") {
            if !Self.lists(match, tag, isWeak: false) { return .failed }
        } else if let since = header("If-Unmodified-Since").flatMap({ HTTPDate.seconds($0) }), modified > since {
            return .failed
        }
        let reads = request.method == .get || request.method == .head
        if let none = header("If-None-Match") {
            if Self.lists(none, tag, isWeak: true) { return reads ? .notModified : .failed }
        } else if reads, let since = header("If-Modified-Since").flatMap({ HTTPDate.seconds($0) }), modified <= since {
            return .notModified
        }
        return .send
    }

    /// Whether `If-Range`, if there is one, still names what there is.
    func allowsRange(tag: String, modified: Int) -> Bool {
        guard request.method == .get || request.method == .head else { return false }
        guard let value = header("If-Range") else { return true }
        if value.hasPrefix("\"") || value.hasPrefix("W/") { return value == tag }
        return HTTPDate.seconds(value) == modified
    }

    private static func lists(_ header: String, _ tag: String, isWeak: Bool) -> Bool {
        header.split(separator: ",").contains { item in
            var item = item.drop { $0 == " " || $0 == "\t" }
            while item.last == " " || item.last == "\t" { item = item.dropLast() }
            if item == "*" { return true }
            return item == tag || isWeak && item.hasPrefix("W/") && item.dropFirst(2) == tag
        }
    }
}

/// What a `Range` header asks of a file (RFC 9110 section 14).
enum ByteRanges: Equatable {
    case whole
    case one(Range<Int>)
    case several([Range<Int>])
    /// All of it lies outside of the file.
    case unsatisfiable
    case malformed

    /// More ranges than this are not served one by one.
    private static let most = 50

    init(_ value: String, size: Int) {
        guard value.hasPrefix("bytes=") else {
            self = .malformed
            return
        }
        var ranges: [Range<Int>] = []
        var isOutside = false
        for item in value.dropFirst(6).split(separator: ",") {
            let text = item.filter { $0 != " " && $0 != "\t" }
            if text.isEmpty { continue }
            guard let range = Self.range(text, size: size) else {
                self = .malformed
                return
            }
            if let range { ranges.append(range) } else { isOutside = true }
        }
        if ranges.isEmpty {
            self = isOutside ? .unsatisfiable : .whole
            return
        }
        // More than the file in pieces is an attack or a mistake.
        let isTooMuch = ranges.count > Self.most || ranges.reduce(0) { $0 + $1.count } > size
        self = isTooMuch ? .whole : ranges.count == 1 ? .one(ranges[0]) : .several(ranges)
    }

    /// - Returns: nil for what is no range; a range of nil for one outside of the file.
    private static func range(_ text: String, size: Int) -> Range<Int>?? {
        let parts = text.split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, parts.allSatisfy({ $0.utf8.allSatisfy { (0x30...0x39).contains($0) } }) else {
            return nil
        }
        if parts[0].isEmpty {
            guard let count = Int(parts[1]) else { return nil }
            if count == 0 || size == 0 { return .some(nil) }
            return .some(max(size - count, 0)..<size)
        }
        guard let start = Int(parts[0]) else { return nil }
        if start >= size { return .some(nil) }
        if parts[1].isEmpty { return .some(start..<size) }
        guard let end = Int(parts[1]), end >= start else { return nil }
        return .some(start..<min(end + 1, size))
    }
}
