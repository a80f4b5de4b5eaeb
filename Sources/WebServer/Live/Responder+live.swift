import COpenSSL
import NIOCore

extension Responder {
    /// Starts an answer that goes on for as long as the client stays.
    ///
    /// - Returns: nil when the request was answered before or was made inside the process.
    package func live(status: UInt16 = 200, headers: [(String, String)], options: LiveOptions) -> LiveStream? {
        guard let connection = request.connection, claimAnswer() else { return nil }
        let live = LiveStream(loop: connection.loop, options: options, request: nil)
        options.onBegin?(live)
        let request = self.request
        connection.onLoop { connection.beginLive(request, status: status, headers: headers, live: live) }
        return live
    }

    /// Whether the request is a WebSocket handshake that can be accepted (RFC 6455 section 4.2.1).
    package static func isHandshake(_ request: Request) -> Bool {
        guard request.method == .get, request.connection != nil, !request.isHTTP10,
            let upgrade = request.headers.first("Upgrade"), ASCII.equal(upgrade, "websocket"),
            request.headers.all("Connection").contains(where: hasUpgrade),
            request.headers.first("Sec-WebSocket-Version") == "13",
            let key = request.headers.first("Sec-WebSocket-Key"), key.utf8.count == 24, key.hasSuffix("==")
        else { return false }
        return true
    }

    private static func hasUpgrade(_ value: String) -> Bool {
        value.split(separator: ",").contains { part in
            ASCII.equal(String(part.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed()), "upgrade")
        }
    }

    /// Accepts a WebSocket handshake.
    ///
    /// - Parameter subprotocol: the one that was chosen of those offered; empty for none.
    /// - Returns: nil when the request is no handshake (it is still to be answered then) or was answered before.
    package func webSocket(subprotocol: String, options: LiveOptions) -> LiveStream? {
        guard Self.isHandshake(request), let connection = request.connection,
            let key = request.headers.first("Sec-WebSocket-Key")
        else { return nil }
        let isCompressing = MessageCompression.isOffered(request.headers.all("Sec-WebSocket-Extensions"))
        let live = LiveStream(
            loop: connection.loop, options: options, request: request.detached(), isCompressing: isCompressing)
        var headers = [
            ("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Accept", Self.accept(key)),
        ]
        if isCompressing { headers.append(("Sec-WebSocket-Extensions", MessageCompression.answer)) }
        if !subprotocol.isEmpty { headers.append(("Sec-WebSocket-Protocol", subprotocol)) }
        guard claimAnswer() else { return nil }
        options.onBegin?(live)
        let request = self.request
        let fields = headers
        // In another turn: the client's first message may be there already, and must not come before this returns.
        connection.later {
            let isUpgraded = connection.upgrade(
                request, status: 101, headers: fields,
                configure: { channel in
                    try channel.pipeline.syncOperations.addHandler(
                        WebSocketConnection(live: live, isPlain: connection.isPlain))
                    return true
                })
            if !isUpgraded { live.over(.left) }
        }
        return live
    }

    /// RFC 6455 section 4.2.2, 5.4: SHA-1 of the key and a fixed text, in base64.
    static func accept(_ key: String) -> String {
        let text = Array((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").utf8)
        var digest = [UInt8](repeating: 0, count: 20)
        _ = SHA1(text, text.count, &digest)
        var encoded = [UInt8](repeating: 0, count: 29)
        let count = EVP_EncodeBlock(&encoded, digest, 20)
        return String(decoding: encoded.prefix(Int(count)), as: UTF8.self)
    }
}
