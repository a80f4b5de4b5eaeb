import PluginKit
import Synchronization

/// What the clients of WebSockets say: JSON objects with a `type`, and an `id` that the answer repeats.
extension Hub {
    /// Requests of one client that may be under way.
    private static let requestLimit = 64
    /// Other messages of one client that may wait, and their bytes.
    private static let (jobLimit, jobBytesLimit) = (256, 1 << 20)

    /// Event loop.
    func received(_ data: UnsafeBufferPointer<UInt8>, from client: Client, on stream: Stream) {
        guard let message = (try? JSONParser.parse(data, options: .init(rejectLongMarks: true)))?.objectValue else {
            return client.send(SocketMessage.error(nil, 400, "A message must be a JSON object."))
        }
        let id = message["id"]
        func answer(_ job: @escaping @Sendable (Records) throws -> Void) {
            self.answer(id, client, size: data.count, job)
        }
        switch message["type"]?.stringValue {
        case "ping": client.send(SocketMessage.make("pong", id: id))
        case "request": request(message, id, from: client, on: stream)
        case "auth":
            let token = message["token"]?.stringValue ?? ""
            answer { [self] records in try signIn(client, token, id, records) }
        case "subscribe":
            let (topics, after) = (Self.topics(message), message["after"]?.stringValue)
            guard !refuses(topics, id, client) else { return }
            answer { [self] records in try subscribe(client, topics, after: after, id, records) }
        case "unsubscribe":
            let topics = Self.topics(message)
            guard !refuses(topics, id, client) else { return }
            answer { [self] _ in
                if let topics { unsubscribe(client, from: Set(topics)) } else { unsubscribe(client) }
                updateWanted()
                client.send(SocketMessage.make("ack", id: id))
            }
        default: client.send(SocketMessage.error(id, 400, "The message's type is not known."))
        }
    }

    /// Refuses topics that are more or longer than a client may have.
    private func refuses(_ topics: [String]?, _ id: JSON?, _ client: Client) -> Bool {
        let failures = TopicLimits.failures(topics ?? [])
        if failures.isEmpty { return false }
        client.send(
            SocketMessage.error(id, 400, ServiceError.badRequest().message, data: ["topics": .object(failures)]))
        return true
    }

    /// Runs a job on the hub's thread and tells the client what went wrong with it.
    ///
    /// - Parameter size: bytes of the message.
    private func answer(
        _ id: JSON?, _ client: Client, size: Int, _ job: @escaping @Sendable (Records) throws -> Void
    ) {
        let isAllowed = client.link.withLock { link in
            let isAllowed = link.jobs == 0 || link.jobs < Self.jobLimit && link.jobBytes + size <= Self.jobBytesLimit
            if isAllowed { (link.jobs, link.jobBytes) = (link.jobs + 1, link.jobBytes + size) }
            return isAllowed
        }
        guard isAllowed else {
            return client.send(SocketMessage.error(id, 429, "Too many messages are waiting for their answer."))
        }
        between { [self] records in
            defer {
                client.link.withLock { link in (link.jobs, link.jobBytes) = (link.jobs - 1, link.jobBytes - size) }
            }
            if client.isGone { return }
            do {
                try job(records)
            } catch let error as ServiceError {
                client.send(SocketMessage.error(id, error.status, error.message, data: error.data))
            } catch {
                failed("a message could not be answered", error)
                client.send(SocketMessage.error(id, 500, ServiceError(status: 500).message))
            }
        }
    }

    private func signIn(_ client: Client, _ token: String, _ id: JSON?, _ records: Records) throws {
        var record: Record?
        if !token.isEmpty {
            record = try records.identify(token)
            guard let record else { throw ServiceError.unauthorized("The token is not valid.") }
            if record.collectionName == "_superusers", !host.admitsSuperuser(from: client.address) {
                throw ServiceError.forbidden("The token is not taken from this address.")
            }
        }
        let identity = record.map { Identity($0) }
        if client.identity != nil, identity != nil, !Identity.isSame(client.identity, identity) {
            throw ServiceError.forbidden("The current and the previous request authorization don't match.")
        }
        let isOther = !Identity.isSame(client.identity, identity)
        try use(identity, of: client, records)
        client.link.withLock { $0.token = token }
        if isOther { regroup([client], record, records) }
        updateWanted()
        client.send(
            SocketMessage.make("ack", id: id) { writer in
                writer.key("record")
                guard let identity else { return writer.writeNull() }
                writer.beginObject()
                writer.key("collectionId")
                writer.string(identity.collectionID)
                writer.key("id")
                writer.string(identity.id)
                writer.endObject()
            })
    }

    private func subscribe(
        _ client: Client, _ topics: [String]?, after text: String?, _ id: JSON?, _ records: Records
    ) throws {
        guard let topics, !topics.isEmpty else {
            throw ServiceError.badRequest("\"topics\" must be an array of topics.")
        }
        var all = client.memberships.map(\.topic.name.full)
        for topic in topics where !all.contains(topic) { all.append(topic) }
        if refuses(all, id, client) { return }
        var after: Position?
        if let text {
            guard client.resumes else {
                throw ServiceError.badRequest("Positions are for connections that were opened with ?resume=1.")
            }
            // It is one place for all topics: what others have been told since would come a second time.
            guard client.memberships.isEmpty else {
                throw ServiceError.badRequest("\"after\" is for the first subscription of a connection.")
            }
            // A text that is no position is as good as one that is too old.
            after = Position(text) ?? Position(name: "", number: 0)
        }
        try ask(client, all, client.identity, records)
        for topic in topics { try subscribe(client, to: topic, nil, records) }
        updateWanted()
        client.send(
            SocketMessage.make("ack", id: id) { writer in
                writer.key("topics")
                writer.beginArray()
                for topic in topics { writer.string(topic) }
                writer.endArray()
            })
        if let after { try resume(client, after: after, records) }
    }

    /// The topics of a message, each a text or an object with `topic` and `options`; nil when there are none.
    private static func topics(_ message: JSONObject) -> [String]? {
        guard let items = message["topics"]?.arrayValue else { return nil }
        var topics: [String] = []
        for item in items {
            if let text = item.stringValue {
                topics.append(text)
            } else if let topic = item["topic"]?.stringValue {
                guard let options = item["options"], options.objectValue != nil else {
                    topics.append(topic)
                    continue
                }
                topics.append(topic + "?options=" + encoded(options.serialized()))
            } else {
                return nil
            }
        }
        return topics
    }

    /// As JavaScript's `encodeURIComponent` has it.
    private static func encoded(_ text: String) -> String {
        let digits = Array("0123456789ABCDEF".utf8)
        var bytes: [UInt8] = []
        for byte in text.utf8 {
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: bytes.append(byte)
            case _ where "-_.!~*'()".utf8.contains(byte): bytes.append(byte)
            default: bytes += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    // MARK: Requests

    private func request(_ message: JSONObject, _ id: JSON?, from client: Client, on stream: Stream) {
        guard let path = message["path"]?.stringValue, path.hasPrefix("/api/"),
            path.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F })
        else { return client.send(SocketMessage.error(id, 400, "\"path\" must begin with /api/ and be encoded.")) }
        let method = message["method"]?.stringValue ?? "GET"
        guard ["GET", "POST", "PATCH", "PUT", "DELETE"].contains(method) else {
            return client.send(SocketMessage.error(id, 400, "The method is not known."))
        }
        let (token, isAllowed) = client.link.withLock { link in
            let isAllowed = link.requests < Self.requestLimit
            if isAllowed { link.requests += 1 }
            return (link.token, isAllowed)
        }
        guard isAllowed else {
            return client.send(SocketMessage.error(id, 429, "Too many requests are under way."))
        }
        let body = message["body"].map { $0.serializedBytes() } ?? []
        do {
            try host.request(method, path, token: token, body: body, for: stream) { status, type, body in
                client.link.withLock { $0.requests -= 1 }
                client.send(Self.response(id, status, type, body))
            }
        } catch {
            client.link.withLock { $0.requests -= 1 }
            client.send(SocketMessage.error(id, 400, "The request is not possible over a socket."))
        }
    }

    private static func response(_ id: JSON?, _ status: Int, _ type: String, _ body: [UInt8]) -> [UInt8] {
        SocketMessage.make("response", id: id) { writer in
            writer.key("status")
            writer.int(status)
            writer.key("body")
            if body.isEmpty {
                writer.writeNull()
            } else if type.hasPrefix("application/json"), body.withUnsafeBufferPointer({ JSONParser.isValid($0) }) {
                writer.raw(body)
            } else {
                writer.string(String(decoding: body, as: UTF8.self))
            }
        }
    }
}
