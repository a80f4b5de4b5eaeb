/// What a plain listener beside an encrypted one answers: where to go instead.
package enum SecureRedirect {
    /// A router that answers everything so.
    ///
    /// - Parameter port: of the encrypted listener.
    package static func router(to port: Int) -> Router {
        let router = Router()
        router.use { request, responder, _ in
            responder.send(answer(request, port))
        }
        return router
    }

    private static func answer(_ request: Request, _ port: Int) -> Response {
        guard request.method == .get || request.method == .head else { return plain(400, "Use HTTPS") }
        guard let host = request.headers.first("Host").flatMap(name), !host.isEmpty else {
            return plain(400, "The request names no host.")
        }
        let location = "https://\(host)\(port == 443 ? "" : ":\(port)")\(target(request))"
        return Response(status: 302, headers: [("Location", location)])
    }

    /// The absolute form of a request's target names the host once more.
    private static func target(_ request: Request) -> String {
        request.target.hasPrefix("/") ? request.target : request.path
    }

    /// Sends requests to `www.` before one of these domains on to it, as PocketBase does; not where that name is listed
    /// itself.
    package static func withoutWWW(_ domains: [String]) -> Middleware {
        let wanted = Set(domains.filter { !$0.hasPrefix("www.") && !domains.contains("www." + $0) })
        return { request, responder, next in
            guard let host = request.headers.first("Host"), host.hasPrefix("www."), let name = name(host),
                wanted.contains(String(name.dropFirst(4)))
            else { return next(request, responder) }
            let scheme = request.isSecure ? "https" : "http"
            let location = "\(scheme)://\(host.dropFirst(4))\(target(request))"
            responder.send(Response(status: 307, headers: [("Location", location)]))
        }
    }

    private static func plain(_ status: UInt16, _ text: String) -> Response {
        Response(
            status: status, headers: [("Content-Type", "text/plain; charset=utf-8")],
            body: .bytes(Array((text + "\n").utf8)))
    }

    /// The host of a `Host` header, without its port; nil when it could lead elsewhere than to a host.
    static func name(_ header: String) -> String? {
        var host = header[...]
        if host.first == "[" {
            guard let end = host.firstIndex(of: "]") else { return nil }
            host = host[...end]
        } else if let colon = host.firstIndex(of: ":") {
            host = host[..<colon]
        }
        let isHost = host.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"):
                true
            default: ".-_:[]".utf8.contains(byte)
            }
        }
        return isHost ? String(host) : nil
    }
}
