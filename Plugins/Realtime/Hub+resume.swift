import PluginKit

/// What a client missed. Hub's thread.
extension Hub {
    /// Changes read at a time, so that others are told of theirs in between.
    private static let piece = 200
    /// Bytes that may wait for a client before it is given more of the past.
    private static let waiting = 256 << 10

    /// Has changes kept, and says where the log is now.
    func startLog(_ records: Records) throws -> Position {
        try records.keepChangeLog()
        guard let state = try records.changeLogState() else { throw ServiceError(status: 500) }
        logName = state.name
        return Position(name: state.name, number: state.last)
    }

    /// Sends what a client missed, and lets it go on with what comes.
    func resume(_ client: Client, after position: Position, _ records: Records) throws {
        // Of a change that was told in part, the rest must still be known.
        let last = position.topic == nil ? position.number : position.number - 1
        guard let state = try records.changeLogState(), state.name == position.name, position.number <= state.last,
            last >= 0, last + 1 >= state.first || state.last == 0
        else {
            let now = try startLog(records)
            return tellGap(client, now)
        }
        logName = state.name
        client.floor = .max
        resuming += 1
        goOnOrCut(client, after: last, beyond: position, sent: 0, records)
    }

    private func goOnOrCut(_ client: Client, after: Int64, beyond: Position, sent: Int, _ records: Records) {
        do { try goOn(client, after: after, beyond: beyond, sent: sent, records) } catch {
            failed("a client could not be sent what it missed", error)
            finish(client, at: after)
            client.close(code: 1011, reason: "what was missed cannot be read")
        }
    }

    /// - Parameters:
    ///   - after: the change up to which everything was sent.
    ///   - beyond: what the client had when it came.
    private func goOn(
        _ client: Client, after: Int64, beyond: Position, sent: Int, _ records: Records
    ) throws {
        if client.isGone { return finish(client, at: after) }
        let changes = try records.keptChanges(after: after, limit: Self.piece)
        let members = client.memberships.sorted { $0.topic.name.order < $1.topic.name.order }
        var sent = sent
        var last = after
        for change in changes {
            last = change.position
            for member in members
            where concerns(change, member.topic) && beyond.isBefore(change.position, member.topic.name.order) {
                guard let viewer = member.group?.viewer,
                    let record = try change.shown(to: viewer.viewer, by: member.topic.rule)
                else { continue }
                sent += 1
                send(change, record, member.topic.name, to: client)
            }
        }
        guard !changes.isEmpty else {
            finish(client, at: after)
            return tellEnd(client, Position(name: logName, number: after), sent)
        }
        let (end, count) = (last, sent)
        let goesOn: @Sendable (Records) -> Void = { [self] records in
            goOnOrCut(client, after: end, beyond: beyond, sent: count, records)
        }
        guard let stream = client.stream, host.pending(stream) > Self.waiting else { return between(goesOn) }
        waitFor(stream, goesOn)
    }

    /// Waits on a worker until a slow client has taken some of what it was sent.
    private func waitFor(_ stream: Stream, _ job: @escaping @Sendable (Records) -> Void) {
        let host = self.host
        do {
            try host.runOnWorker { [self] _ in
                Pause.milliseconds(20)
                if host.pending(stream) > Self.waiting { waitFor(stream, job) } else { between(job) }
            }
        } catch { between(job) }
    }

    private func finish(_ client: Client, at position: Int64) {
        resuming -= 1
        client.floor = position
        highestFloor = max(highestFloor, position)
    }

    private func concerns(_ change: Change, _ topic: Topic) -> Bool {
        guard topic.collection == change.collection, let target = topic.name.target else { return false }
        return target.record == "*" || target.record == change.recordID
    }

    private func send(_ change: Change, _ record: [UInt8], _ topic: TopicName, to client: Client) {
        let position = Position(name: logName, number: change.position, topic: topic.order).text
        if client.manner == .socket {
            client.send(SocketMessage.change(topic.full, change.action, record, position: position))
        } else {
            let data = EventMessage.change(change.action, record)
            client.send(EventMessage.make(id: position, name: topic.full, data: data))
        }
    }

    private func tellEnd(_ client: Client, _ position: Position, _ sent: Int) {
        if client.manner == .socket {
            client.send(
                SocketMessage.make("resumed") { writer in
                    writer.key("position")
                    writer.string(position.text)
                    writer.key("events")
                    writer.int(sent)
                })
        } else {
            client.send(
                EventMessage.make(id: position.text, name: "ROOST_RESUMED", data: #"{"events":\#(sent)}"#.utf8))
        }
    }

    private func tellGap(_ client: Client, _ position: Position) {
        if client.manner == .socket {
            client.send(
                SocketMessage.make("gap") { writer in
                    writer.key("position")
                    writer.string(position.text)
                })
        } else {
            client.send(EventMessage.make(id: position.text, name: "ROOST_GAP", data: "{}".utf8))
        }
    }
}
