import NIOCore
package import WebServer

/// A request that the server makes itself, on behalf of a client that is connected in another way.
package enum InternalRequest {
    /// Runs it through the same routes and middlewares as any other.
    ///
    /// - Parameters:
    ///   - parent: the client's own request, whose address and headers count.
    ///   - done: gets status, content type and body of the answer, once, on whatever thread it is made.
    package static func dispatch(
        _ parent: Request, _ method: String, _ target: String, _ token: String, _ body: [UInt8],
        on routes: RouteTable, _ done: @escaping @Sendable (Int, String, [UInt8]) -> Void
    ) {
        var pairs: [(String, String)] = []
        for (name, value) in parent.headers where !isOwn(name.lowercased()) { pairs.append((name, value)) }
        if !token.isEmpty { pairs.append(("Authorization", token)) }
        if !body.isEmpty {
            pairs.append(("Content-Type", "application/json"))
            pairs.append(("Content-Length", String(body.count)))
        }
        let headers = Headers(pairs)
        let run: @Sendable () -> Void = {
            routes.dispatch(
                HTTPMethod(rawValue: method), target, headers: headers, body: ByteBuffer(bytes: body), parent: parent
            ) { response in
                let type = response.header("Content-Type") ?? ""
                switch response.body {
                case .bytes(let bytes): done(Int(response.status), type, bytes)
                case .buffer(let buffer): done(Int(response.status), type, Array(buffer.readableBytesView))
                case .none: done(Int(response.status), type, [])
                // A download has no place in a message.
                case .stream, .file: done(400, "application/json", Array(Self.notHere.utf8))
                }
            }
        }
        if parent.eventLoop.inEventLoop { run() } else { parent.eventLoop.execute(run) }
    }

    private static let notHere =
        #"{"data":{},"message":"This request is not possible over a socket.","status":400}"#

    /// Headers that belong to the handshake, not to the request.
    private static func isOwn(_ name: String) -> Bool {
        switch name {
        case "authorization", "connection", "upgrade", "content-type", "content-length", "transfer-encoding", "expect":
            true
        default: name.hasPrefix("sec-websocket-")
        }
    }
}
