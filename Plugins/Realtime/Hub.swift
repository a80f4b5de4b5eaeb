import PluginKit
import Synchronization

/// All clients and what they subscribed to.
///
/// `@unchecked Sendable`: everything but `clientsByID` and `hooks` belongs to the thread that tells of changes, which
/// `between` takes others to; `hooks` is set while the plugin registers.
final class Hub: ChangeListener, RealtimeService, @unchecked Sendable {
    let host: Host
    var hooks: RealtimeHooks?
    let clientsByID = Mutex<[String: Client]>([:])

    var topics: [String: Topic] = [:]
    /// Topics by the collection that they are about, and by record; "*" for all.
    var byCollection: [String: [String: [Topic]]] = [:]
    var viewers: [String: SharedViewer] = [:]
    /// The clients of each signed-in record.
    var byIdentity: [String: [ObjectIdentifier: Client]] = [:]
    /// Collections by id and by name, as far as they were asked for.
    var collections: [String: CollectionNote?] = [:]
    /// The secrets with which the tokens of auth collections are signed.
    var secrets: [String: String] = [:]
    var wanted: Set<String> = []
    /// No client has a higher floor.
    var highestFloor: Int64 = 0
    /// Clients that are being sent what they missed.
    var resuming = 0
    var logName = ""

    struct CollectionNote {
        var id: String
        var name: String
        var isAuth: Bool
        var secret: String
    }

    init(_ host: Host) { self.host = host }

    var clients: Int { clientsByID.withLock { $0.count } }

    /// Runs a job on the hub's thread.
    func between(_ job: @escaping @Sendable (Records) -> Void) {
        do {
            try host.betweenChanges(job)
        } catch {
            host.log.error("A job for subscriptions was refused", ["error": .string("\(error)")])
        }
    }

    func failed(_ what: String, _ error: any Error) {
        host.log.error("Realtime: \(what)", ["error": .string("\(error)")])
    }

    // MARK: Clients

    func came(_ client: Client) {
        clientsByID.withLock { $0[client.id] = client }
        // It may have left before it was known.
        if client.link.withLock({ $0.hasEnded }) { left(client) }
    }

    func client(_ id: String) -> Client? { clientsByID.withLock { $0[id] } }

    /// Event loop.
    func left(_ client: Client) {
        let isKnown = clientsByID.withLock { $0.removeValue(forKey: client.id) != nil }
        guard isKnown else { return }
        between { [self] records in
            client.isGone = true
            unsubscribe(client)
            setIdentity(nil, of: client)
            updateWanted()
        }
    }

    /// Changes who is signed in, without looking at subscriptions.
    func setIdentity(_ identity: Identity?, of client: Client) {
        if let old = client.identity {
            byIdentity[old.key]?[ObjectIdentifier(client)] = nil
            if byIdentity[old.key]?.isEmpty ?? false { byIdentity[old.key] = nil }
        }
        client.identity = identity
        if let identity, !client.isGone { byIdentity[identity.key, default: [:]][ObjectIdentifier(client)] = client }
    }

    // MARK: Publishing

    func publish(_ topic: String, _ data: [UInt8], to client: String, _ records: Records) throws {
        var data = data
        if data.contains(10) || data.contains(13) { data = try JSONParser.parse(data).serializedBytes() }
        if let hooks, !hooks.isEmpty {
            var event = RealtimeEvent(.message)
            event.topic = topic
            event.data = data
            event.client = client
            try hooks.run(event, records)
        }
        let bytes = data
        between { [self] _ in
            if !client.isEmpty {
                guard let client = self.client(client) else { return }
                // What is meant for one is sent without a subscription too: it may be the answer to a question.
                return send(topic, bytes, to: client)
            }
            guard let topic = topics[topic] else { return }
            let event = EventMessage.make(id: nil, name: topic.name.full, data: bytes)
            let message = SocketMessage.message(topic.name.full, bytes)
            for group in topic.groups.values {
                host.write(event, to: group.plain.streams)
                host.write(event, to: group.positions.streams)
                host.write(message, to: group.sockets.streams)
            }
        }
    }

    func deliver(
        _ topic: String, _ data: [UInt8], to client: String, at address: String,
        done: @escaping @Sendable (Bool) -> Void
    ) {
        between { [self] _ in
            guard let client = self.client(client), client.address == address,
                client.memberships.contains(where: { $0.topic.name.full == topic })
            else { return done(false) }
            send(topic, data, to: client)
            unsubscribe(client, from: [topic])
            updateWanted()
            done(true)
        }
    }

    private func send(_ topic: String, _ data: [UInt8], to client: Client) {
        switch client.manner {
        case .plain: client.send(EventMessage.make(id: client.id, name: topic, data: data))
        case .positions: client.send(EventMessage.make(id: nil, name: topic, data: data))
        case .socket: client.send(SocketMessage.message(topic, data))
        }
    }
}
