import PluginKit

/// `POST /api/realtime`: what a client of server-sent events subscribes to, in place of what it had.
enum SubscribeRoute {
    static func add(to host: Host, _ hub: Hub) throws {
        try host.route("POST", "/api/realtime") { request async throws -> HTTPResponse in
            let form: Form
            switch try Form.read(request) {
            case .refused(let answer): return answer
            case .read(let read): form = read
            }
            return try await withCheckedThrowingContinuation { continuation in
                hub.between { records in
                    continuation.resume(with: Result { try hub.set(form, request, records) })
                }
            }
        }
    }

    struct Form: Sendable {
        enum Outcome {
            case read(Form)
            case refused(HTTPResponse)
        }

        var client = ""
        var topics: [String] = []

        static func read(_ request: HTTPRequest) throws -> Outcome {
            let isJSON = request.header("Content-Type")?.lowercased().hasPrefix("application/json") ?? true
            let body: JSONObject
            do {
                body = request.body.isEmpty ? JSONObject() : try request.json()
            } catch { throw ServiceError.badRequest() }
            var form = Form()
            switch body["clientId"] ?? .null {
            case .null: break
            case .string(let id): form.client = id
            case let value:
                guard !isJSON else { throw ServiceError.badRequest() }
                form.client = value.serialized()
            }
            switch body["subscriptions"] ?? .null {
            case .null: break
            case .array(let items):
                for item in items {
                    if let text = item.stringValue {
                        form.topics.append(text)
                    } else if item.isNull || !isJSON {
                        form.topics.append(item.isNull ? "" : item.serialized())
                    } else {
                        throw ServiceError.badRequest()
                    }
                }
            case let value:
                guard !isJSON else { throw ServiceError.badRequest() }
                form.topics.append(value.stringValue ?? value.serialized())
            }
            let failures = form.failures
            if failures.isEmpty { return .read(form) }
            let answer: JSON = [
                "data": .object(failures), "message": .string(ServiceError.badRequest().message), "status": 400,
            ]
            return .refused(.json(answer, status: 400))
        }

        /// What is wrong with it, in PocketBase's form. Lengths are in bytes.
        private var failures: JSONObject {
            var failures = JSONObject()
            if client.isEmpty {
                failures["clientId"] = ["code": "validation_required", "message": "Cannot be blank."]
            } else if client.utf8.count > 255 {
                failures["clientId"] = [
                    "code": "validation_length_out_of_range", "message": "The length must be between 1 and 255.",
                    "params": ["max": 255, "min": 1],
                ]
            }
            let topics = TopicLimits.failures(self.topics)
            if !topics.isEmpty { failures["subscriptions"] = .object(topics) }
            return failures
        }
    }
}

/// How many topics a client may have, and how long they may be.
enum TopicLimits {
    static let count = 1000
    static let length = 2500

    static func failures(_ topics: [String]) -> JSONObject {
        if topics.count > count { return tooLong(count) }
        var each = JSONObject()
        for (index, topic) in topics.enumerated() where topic.utf8.count > length {
            each["\(index)"] = .object(tooLong(length))
        }
        return each
    }

    private static func tooLong(_ limit: Int) -> JSONObject {
        [
            "code": "validation_length_too_long", "message": .string("The length must be no more than \(limit)."),
            "params": ["max": .number(Double(limit)), "min": 0],
        ]
    }
}

extension Hub {
    /// Replaces a client's subscriptions. Hub's thread.
    func set(_ form: SubscribeRoute.Form, _ request: HTTPRequest, _ records: Records) throws -> HTTPResponse {
        guard let client = client(form.client), client.manner != .socket else {
            throw ServiceError.notFound("Missing or invalid client id.")
        }
        guard client.address == request.remoteIP else { throw ServiceError.badRequest("Invalid realtime client.") }
        let auth = request.auth
        let identity = auth.map { Identity($0) }
        if client.identity != nil, !Identity.isSame(client.identity, identity) {
            throw ServiceError.forbidden("The current and the previous request authorization don't match.")
        }
        try ask(client, form.topics, identity, records)
        try use(identity, of: client, records)
        unsubscribe(client)
        for topic in form.topics { try subscribe(client, to: topic, auth, records) }
        updateWanted()
        if let position = client.resumeFrom {
            client.resumeFrom = nil
            try resume(client, after: position, records)
        }
        return .noContent
    }

    /// Signs a client in, and remembers with which secret.
    func use(_ identity: Identity?, of client: Client, _ records: Records) throws {
        setIdentity(identity, of: client)
        if let identity, secrets[identity.collectionID] == nil {
            secrets[identity.collectionID] = try note(of: identity.collectionID, records)?.secret
        }
    }

    func ask(_ client: Client, _ topics: [String], _ identity: Identity?, _ records: Records) throws {
        guard let hooks, !hooks.isEmpty else { return }
        var event = RealtimeEvent(.subscribe)
        event.client = client.id
        event.isWebSocket = client.manner == .socket
        event.data = JSON.array(topics.map { .string($0) }).serializedBytes()
        event.authCollection = identity?.collectionID ?? ""
        event.authRecord = identity?.id ?? ""
        try hooks.run(event, records)
    }
}
