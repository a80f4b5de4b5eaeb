import PluginKit
import Synchronization

/// Who is in which group. Hub's thread.
extension Hub {
    /// Subscribes a client to a topic; once is enough.
    func subscribe(_ client: Client, to full: String, _ auth: Record?, _ records: Records) throws {
        guard !full.isEmpty, !client.isGone, !client.memberships.contains(where: { $0.topic.name.full == full }) else {
            return
        }
        let member = Membership(client: client, topic: try topic(full, records))
        do { try enterGroup(member, auth, records) } catch {
            forgetIfUnused(member.topic)
            throw error
        }
        client.memberships.append(member)
    }

    func unsubscribe(_ client: Client) {
        for member in client.memberships { leave(member) }
        client.memberships = []
    }

    func unsubscribe(_ client: Client, from topics: Set<String>) {
        let first = client.memberships.partition { topics.contains($0.topic.name.full) }
        for member in client.memberships[first...] { leave(member) }
        client.memberships.removeSubrange(first...)
    }

    private func leave(_ member: Membership) {
        leaveGroup(member)
        forgetIfUnused(member.topic)
    }

    private func forgetIfUnused(_ topic: Topic) {
        guard topic.groups.isEmpty else { return }
        if topics[topic.name.full] === topic { topics[topic.name.full] = nil }
        unlink(topic)
    }

    private func enterGroup(_ member: Membership, _ auth: Record?, _ records: Records) throws {
        let group = try group(for: member.client, in: member.topic, auth, records)
        member.group = group
        group.add(member)
    }

    private func leaveGroup(_ member: Membership) {
        guard let group = member.group else { return }
        member.group = nil
        group.remove(member)
        release(group.viewer)
        if group.isEmpty { member.topic.groups[group.key] = nil }
    }

    // MARK: Topics

    private func topic(_ full: String, _ records: Records) throws -> Topic {
        if let topic = topics[full] { return topic }
        let topic = Topic(TopicName(full))
        try link(topic, records)
        topics[full] = topic
        return topic
    }

    /// Finds out what a topic is about.
    private func link(_ topic: Topic, _ records: Records) throws {
        topic.collection = nil
        guard let target = topic.name.target, let note = try note(of: target.collection, records),
            note.id == target.collection || note.name == target.collection
        else { return }
        topic.collection = note.id
        topic.rule = target.record == "*" ? .list : .view
        var neighbours = byCollection[note.id]?[target.record] ?? []
        let place = neighbours.firstIndex { topic.name.order < $0.name.order } ?? neighbours.count
        neighbours.insert(topic, at: place)
        byCollection[note.id, default: [:]][target.record] = neighbours
    }

    private func unlink(_ topic: Topic) {
        guard let id = topic.collection, let target = topic.name.target else { return }
        byCollection[id]?[target.record]?.removeAll { $0 === topic }
        if byCollection[id]?[target.record]?.isEmpty ?? false { byCollection[id]?[target.record] = nil }
        if byCollection[id]?.isEmpty ?? false { byCollection[id] = nil }
    }

    func note(of collection: String, _ records: Records) throws -> CollectionNote? {
        if let known = collections[collection] { return known }
        let note = try records.withCollection(collection) { text -> CollectionNote in
            let json = try JSONParser.parse(text)
            return CollectionNote(
                id: json["id"]?.stringValue ?? "", name: json["name"]?.stringValue ?? "",
                isAuth: json["type"]?.stringValue == "auth", secret: json["authToken"]?["secret"]?.stringValue ?? "")
        }
        // Names that nobody has must not fill the memory.
        if collections.count > 10_000 { collections.removeAll() }
        collections[collection] = .some(note)
        return note
    }

    // MARK: Groups

    /// - Parameter auth: the client's record, when a viewer of it may have to be made.
    private func group(for client: Client, in topic: Topic, _ auth: Record?, _ records: Records) throws -> Group {
        guard let collection = topic.collection else {
            let group = topic.groups[""] ?? Group(key: "", viewer: nil)
            topic.groups[""] = group
            return group
        }
        let viewer = try viewer(for: client, topic.name, auth, records)
        let key = try records.key(of: viewer.viewer, in: collection, by: topic.rule) ?? ""
        if let group = topic.groups[key] {
            // Each membership counts for the group's own viewer.
            group.viewer?.uses += 1
            if viewer.uses == 0 { forget(viewer) }
            return group
        }
        viewer.uses += 1
        let group = Group(key: key, viewer: viewer)
        topic.groups[key] = group
        return group
    }

    private func viewer(
        for client: Client, _ name: TopicName, _ auth: Record?, _ records: Records
    ) throws -> SharedViewer {
        var key = (client.identity?.key ?? "") + "\n"
        if !name.query.isEmpty || !name.headers.isEmpty {
            key += JSON.array([.object(name.query.sorted()), .object(name.headers.sorted())]).serialized()
        }
        if let viewer = viewers[key] { return viewer }
        var record = auth
        if record == nil, let identity = client.identity {
            record = try records.find(identity.collectionID, id: identity.id)
        }
        let made = SharedViewer(
            key: key,
            viewer: try records.openViewer(
                auth: client.identity == nil ? nil : record, query: name.query, headers: name.headers))
        viewers[key] = made
        return made
    }

    private func release(_ viewer: SharedViewer?) {
        guard let viewer else { return }
        viewer.uses -= 1
        if viewer.uses <= 0 { forget(viewer) }
    }

    private func forget(_ viewer: SharedViewer) {
        if viewers[viewer.key] === viewer { viewers[viewer.key] = nil }
        host.close(viewer: viewer.viewer)
    }

    /// Puts clients' memberships into the groups where they belong now. All leave before the first one enters: a group that
    /// stays keeps the viewer that it was made with. Who cannot be placed is cut, for it would miss what comes.
    ///
    /// - Parameter auth: the record of those among them who are signed in; nil to have it looked up.
    func regroup(_ clients: [Client], _ auth: Record?, _ records: Records) {
        for client in clients { for member in client.memberships { leaveGroup(member) } }
        for client in clients {
            let record = client.identity == nil ? nil : auth
            do {
                for member in client.memberships { try enterGroup(member, record, records) }
            } catch {
                failed("a client's subscriptions could not be kept", error)
                client.close(code: 1011, reason: "subscriptions could not be kept")
            }
        }
    }

    // MARK: What is wanted

    /// Tells the host which collections' changes are needed: those of topics and of identities.
    func updateWanted() {
        var now = Set(byCollection.keys)
        for key in byIdentity.keys {
            if let slash = key.utf8.firstIndex(of: UInt8(ascii: "/")) { now.insert(String(key[..<slash])) }
        }
        guard now != wanted else { return }
        wanted = now
        host.wantChanges(of: now)
    }

    // MARK: Other collections

    func schemaChanged(_ records: Records) {
        collections = [:]
        let everyone = clientsByID.withLock { Array($0.values) }
        do {
            try dropOverIdentities(records)
            byCollection = [:]
            for topic in topics.values { try link(topic, records) }
            // With other rules everybody may belong to another group.
            regroup(everyone, nil, records)
        } catch {
            failed("subscriptions could not be put in order", error)
            for client in everyone { client.close(code: 1011, reason: "subscriptions could not be kept") }
        }
        updateWanted()
    }

    /// Signs those out whose collection is gone or has another secret.
    private func dropOverIdentities(_ records: Records) throws {
        var ids: Set<String> = []
        for clients in byIdentity.values {
            if let identity = clients.values.first?.identity { ids.insert(identity.collectionID) }
        }
        for id in ids {
            let secret = try note(of: id, records)?.secret
            defer { secrets[id] = secret }
            guard secret == nil || secrets[id] != nil && secrets[id] != secret else { continue }
            for clients in byIdentity.values {
                for client in clients.values where client.identity?.collectionID == id { signOut(client) }
            }
        }
    }

    /// Makes a guest of a client; its memberships are still to be regrouped.
    func signOut(_ client: Client) {
        setIdentity(nil, of: client)
        if client.manner == .socket {
            client.link.withLock { $0.token = "" }
            client.send(
                SocketMessage.make("auth") {
                    $0.key("record"); $0.writeNull()
                })
        }
    }
}
