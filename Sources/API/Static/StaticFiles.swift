import Engine
package import WebServer

/// Gives out the files of the public folder where no route answers, with the same redirects as PocketBase.
///
/// Nothing of it runs for a request that has a route. Names come from the path alone: it is decoded, cleaned, and must
/// stay in the folder; links that lie there are followed, for only the operator can make one.
package struct StaticFiles: Sendable {
    private let services: Services
    private let root: String
    private let indexFallback: Bool
    private let compressed = CompressedFiles()

    private static let index = "index.html"

    /// - Parameters:
    ///   - root: the public folder; it may come and go.
    ///   - indexFallback: whether the folder's `index.html` answers for files that are not there.
    package init(services: Services, root: String, indexFallback: Bool) {
        self.services = services
        self.root = root
        self.indexFallback = indexFallback
    }

    package func mount(on router: Router) {
        router.notFound(
            services.handler { exchange in
                let isRead = exchange.request.method == .get || exchange.request.method == .head
                guard isRead else { return exchange.fail(ServiceError.notFound()) }
                answer(exchange)
            })
    }

    /// A file or folder that is there.
    private struct Found {
        var path: String
        var status: FileStatus
    }

    private func answer(_ exchange: Exchange) {
        let path = PercentCoding.decode(exchange.request.path)
        let name = Self.clean(path)
        guard let name, let found = find(name) else { return fallBack(exchange, from: name) }
        if found.status.isFolder {
            guard path.hasSuffix("/") else { return Self.redirect(exchange, to: path + "/") }
            let indexName = name.isEmpty ? Self.index : "\(name)/\(Self.index)"
            guard let page = find(indexName), page.status.isFile else { return fallBack(exchange, from: name) }
            return send(exchange, page)
        }
        if path.hasSuffix("/") {
            return Self.redirect(exchange, to: String(path.reversed().drop { $0 == "/" }.reversed()))
        }
        if path.hasSuffix(Self.index) { return Self.redirect(exchange, to: String(path.dropLast(Self.index.count))) }
        send(exchange, found)
    }

    private func fallBack(_ exchange: Exchange, from name: String?) {
        guard indexFallback, name != Self.index, let page = find(Self.index), page.status.isFile else {
            return exchange.fail(ServiceError.notFound("File not found."))
        }
        send(exchange, page)
    }

    private func find(_ name: String) -> Found? {
        let path = name.isEmpty ? root : "\(root)/\(name)"
        // Opening a pipe or a device would wait for whoever is at its other end.
        guard let status = FileStatus(of: path), status.isFile || status.isFolder else { return nil }
        return Found(path: path, status: status)
    }

    /// The name in the folder that a decoded path means, without `.`, `..` and empty parts; empty for the folder itself.
    ///
    /// - Returns: nil for one that leads out of it or can be no name.
    static func clean(_ path: String) -> String? {
        guard path.utf8.count <= 4000, !path.utf8.contains(0), !path.utf8.starts(with: "//".utf8) else { return nil }
        // By bytes: to Swift a slash with a combining mark is another character.
        var parts: [Substring] = []
        for part in path.utf8.split(separator: UInt8(ascii: "/")) where !part.elementsEqual(".".utf8) {
            if part.elementsEqual("..".utf8) {
                if parts.popLast() == nil { return nil }
            } else {
                parts.append(Substring(part))
            }
        }
        // Bytes that are no text were replaced when the path was decoded, and then name another file.
        return path.unicodeScalars.contains("\u{FFFD}") ? nil : parts.joined(separator: "/")
    }

    /// Goes elsewhere on this server: a path of two slashes would name another one, also when a browser has taken out
    /// what lies between them.
    private static func redirect(_ exchange: Exchange, to path: String) {
        exchange.responder.send(Response(status: 301, headers: [("Location", location(path))]))
    }

    static func location(_ path: String) -> String {
        func isSkipped(_ byte: UInt8) -> Bool {
            byte == UInt8(ascii: "/") || byte == UInt8(ascii: "\\") || byte <= 0x20
        }
        let digits = Array("0123456789ABCDEF".utf8)
        var bytes: [UInt8] = [UInt8(ascii: "/")]
        for byte in path.utf8.drop(while: isSkipped) {
            switch byte {
            case 0x21...0x7E where byte != UInt8(ascii: "\\"): bytes.append(byte)
            default: bytes += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    // MARK: - Content

    private func send(_ exchange: Exchange, _ file: Found) {
        let (size, modified) = (file.status.size, file.status.modified)
        let type = StaticType.of(file.path)
        var headers = [("Content-Type", type)]
        var compresses = false
        if CompressedFiles.pays(type: type, size: size) {
            headers.append(("Vary", "Accept-Encoding"))
            let accepted = exchange.request.headers.first("Accept-Encoding")
            compresses =
                exchange.request.headers.first("Range") == nil && AcceptEncoding.allows("gzip", in: accepted)
        }
        let tag = FileResponder.tag(size: size, modified: modified, suffix: compresses ? "-gzip" : "")
        let outcome = Preconditions(exchange.request).check(tag: tag, modified: modified)
        let validators = [("Last-Modified", HTTPDate.text(modified)), ("ETag", tag)]
        if outcome != .send {
            let kept = headers.filter { $0.0 != "Content-Type" } + validators
            exchange.responder.send(Response(status: outcome == .failed ? 412 : 304, headers: kept))
            return
        }
        let plain = headers
        let sendAsItIs: @Sendable () -> Void = {
            FileResponder.answer(exchange, path: file.path, size: size, modified: modified, headers: plain)
        }
        guard compresses else { return sendAsItIs() }
        let version = CompressedFiles.Version(path: file.path, size: size, change: file.status.version)
        compressed.get(version, run: exchange.engine.workers.run) { bytes in
            guard let bytes else { return sendAsItIs() }
            exchange.responder.send(
                Response(headers: plain + validators + [("Content-Encoding", "gzip")], body: .buffer(bytes)))
        }
    }
}
