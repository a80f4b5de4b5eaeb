import Glibc
import PluginKit
import Synchronization

/// `GET /api/realtime`: server-sent events, or a WebSocket for those who ask to upgrade.
enum ConnectRoute {
    /// As PocketBase has them, in seconds. Tests shorten them; they are no settings for operators.
    private static let idleTimeout = seconds("ROOST_TEST_REALTIME_IDLE") ?? 5 * 60
    private static let maxAge = seconds("ROOST_TEST_REALTIME_AGE") ?? 30 * 60
    /// The longest message of a WebSocket's client: requests over it have bodies.
    private static let maxMessage = 4 << 20

    private static func seconds(_ variable: String) -> Int? {
        getenv(variable).flatMap { Int(String(cString: $0)) }.flatMap { $0 > 0 ? $0 : nil }
    }

    static func add(to host: Host, _ hub: Hub) throws {
        try host.route("GET", "/api/realtime", run: .loop) { request in try connect(request, hub) }
    }

    private static func connect(_ request: HTTPRequest, _ hub: Hub) throws -> HTTPResponse {
        let wish = request.header("Last-Event-ID").flatMap { Position($0) }
        let resumes = wish != nil || request.query("resume") == "1"
        let isUpgrade = request.header("Upgrade")?.lowercased() == "websocket"
        let client = Client(
            hub: hub, manner: isUpgrade ? .socket : resumes ? .positions : .plain, address: request.remoteIP,
            resumes: resumes)
        client.resumeFrom = wish
        try ask(client, request, hub)
        if isUpgrade { return try openSocket(client, request, hub) }
        var options = StreamOptions()
        options.idleTimeout = idleTimeout
        options.maxAge = maxAge
        if !resumes { options.prefix = Array("id:\(client.id)\n".utf8) }
        if resumes { options.farewell = EventMessage.make(id: nil, name: "ROOST_RECONNECT", data: "{}".utf8) }
        request.setHeader("Cache-Control", "no-store")
        request.setHeader("X-Accel-Buffering", "no")
        let stream = try request.startStream(contentType: "text/event-stream", options: options, handler: client)
        client.link.withLock { $0.stream = stream }
        hub.came(client)
        if resumes {
            hub.between { records in hub.greet(client, records) }
        } else {
            let data = #"{"clientId":"\#(client.id)"}"#
            client.send(EventMessage.make(id: client.id, name: "PB_CONNECT", data: data.utf8))
        }
        return .answered
    }

    private static func ask(_ client: Client, _ request: HTTPRequest, _ hub: Hub) throws {
        guard let hooks = hub.hooks, !hooks.isEmpty else { return }
        var event = RealtimeEvent(.connect)
        event.client = client.id
        event.isWebSocket = client.manner == .socket
        try hooks.run(event, request.records)
    }

    private static func openSocket(_ client: Client, _ request: HTTPRequest, _ hub: Hub) throws -> HTTPResponse {
        var options = StreamOptions()
        options.maxMessage = maxMessage
        let token = request.auth == nil ? "" : bare(request.header("Authorization") ?? "")
        client.link.withLock { $0.token = token }
        guard let stream = try request.acceptWebSocket(options: options, handler: client) else {
            throw ServiceError.badRequest("The WebSocket handshake is not valid.")
        }
        client.link.withLock { $0.stream = stream }
        hub.came(client)
        hub.between { records in
            if !token.isEmpty, let record = try? records.identify(token) {
                hub.setIdentity(Identity(record), of: client)
                hub.updateWanted()
            }
            hub.greet(client, records)
        }
        return .answered
    }

    private static func bare(_ header: String) -> String {
        header.prefix(7).lowercased() == "bearer " ? String(header.dropFirst(7)) : header
    }
}

extension Hub {
    /// The first words to a client that is told positions, or that is a WebSocket.
    func greet(_ client: Client, _ records: Records) {
        do {
            let position = client.resumes ? try startLog(records).text : nil
            guard client.manner == .socket else {
                let at = client.resumeFrom?.text ?? position ?? ""
                let data = #"{"clientId":"\#(client.id)","position":"\#(at)"}"#
                return client.send(EventMessage.make(id: at, name: "PB_CONNECT", data: data.utf8))
            }
            client.send(
                SocketMessage.make("hello") { writer in
                    writer.key("client")
                    writer.string(client.id)
                    if let position {
                        writer.key("position")
                        writer.string(position)
                    }
                })
        } catch {
            failed("a client could not be told its position", error)
            client.close(code: 1011, reason: "no position")
        }
    }
}
