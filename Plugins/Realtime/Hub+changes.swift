import PluginKit
import Synchronization

/// From a change to the clients that may see it. Hub's thread.
extension Hub {
    func changed(_ changes: [Change], _ records: Records) {
        for change in changes {
            // PocketBase's order: an update of the record that is signed in counts for who sees it, a delete does not.
            if change.action == .update { followIdentity(change, records) }
            tell(change)
            if change.action == .delete { followIdentity(change, records) }
        }
    }

    /// Keeps the identities of clients in step with their records.
    private func followIdentity(_ change: Change, _ records: Records) {
        guard let clients = byIdentity[change.collection + "/" + change.recordID]?.values, !clients.isEmpty else {
            return
        }
        let affected = Array(clients)
        if change.action == .delete {
            for client in affected { signOut(client) }
            regroup(affected, nil, records)
            return updateWanted()
        }
        let now = Identity(change.record)
        for client in affected where client.identity?.tokenKey != now.tokenKey { signOut(client) }
        // Viewers made of the record as it was are not asked again.
        let prefix = now.key + "\n"
        for key in viewers.keys where key.hasPrefix(prefix) { viewers[key] = nil }
        regroup(affected, change.record, records)
        updateWanted()
    }

    private func tell(_ change: Change) {
        guard let byRecord = byCollection[change.collection] else { return }
        // The same group may be behind several topics.
        var shown: [String: [UInt8]?] = [:]
        for topic in Self.inOrder(byRecord[change.recordID] ?? [], byRecord["*"] ?? []) {
            for group in topic.groups.values {
                guard let viewer = group.viewer else { continue }
                let record: [UInt8]?
                if let known = shown[group.key] {
                    record = known
                } else {
                    do { record = try change.shown(to: viewer.viewer, by: topic.rule) } catch {
                        failed("a change could not be shown", error)
                        cut(group)
                        continue
                    }
                    shown[group.key] = .some(record)
                }
                if let record { send(change, record, topic, group) }
            }
        }
    }

    /// Ends the connections of those who have missed something: they come back, and those who can resume do.
    private func cut(_ group: Group) {
        for members in [group.plain, group.positions, group.sockets] {
            for member in members.members { member.client.close(code: 1011, reason: "a change could not be told") }
        }
    }

    /// Two lists of topics as one; each is in order.
    private static func inOrder(_ some: [Topic], _ others: [Topic]) -> [Topic] {
        if some.isEmpty { return others }
        if others.isEmpty { return some }
        return (some + others).sorted { $0.name.order < $1.name.order }
    }

    private func send(_ change: Change, _ record: [UInt8], _ topic: Topic, _ group: Group) {
        let name = topic.name.full
        let position =
            change.position > 0
            ? Position(name: logName, number: change.position, topic: topic.name.order).text : nil
        let isBehind = resuming > 0 || change.position > 0 && change.position <= highestFloor
        func streams(_ members: Members) -> [Stream] {
            isBehind ? members.streams(below: max(change.position, 1)) : members.streams
        }
        if !group.plain.isEmpty || !group.positions.isEmpty {
            let data = EventMessage.change(change.action, record)
            host.write(EventMessage.make(id: nil, name: name, data: data), to: group.plain.streams)
            let positions = streams(group.positions)
            if !positions.isEmpty {
                host.write(EventMessage.make(id: position, name: name, data: data), to: positions)
            }
        }
        let sockets = streams(group.sockets)
        if !sockets.isEmpty {
            host.write(SocketMessage.change(name, change.action, record, position: position), to: sockets)
        }
    }

    /// Too far behind: everybody starts anew, and who can resume will.
    func lost(_ records: Records) {
        for client in clientsByID.withLock({ Array($0.values) }) {
            client.close(code: 1013, reason: "changes were lost")
        }
    }
}
