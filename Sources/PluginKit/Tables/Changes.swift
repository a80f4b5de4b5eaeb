internal import PluginABI

/// A committed change of one record. Valid during the call that gave it.
public struct Change {
    public enum Action: UInt32, Sendable {
        case create = 1
        case update, delete
    }

    let raw: roost_change_v1
    let call: Call

    public var action: Action { Action(rawValue: raw.action) ?? .update }
    /// In the log; 0 when that is not kept.
    public var position: Int64 { raw.position }
    public var collection: String { raw.collection.string }
    public var recordID: String { raw.record_id.string }
    /// As it was committed; of a delete, as it was before.
    public var record: Record { Record(raw.record, call) }

    /// The record as JSON as the viewer may see it; nil when it may not.
    public func shown(to viewer: Viewer, by rule: ChangeRule) throws -> [UInt8]? {
        guard let table = call.host.changesTable else { throw HostError.denied(ROOST_TABLE_CHANGES) }
        var out = roost_bytes()
        let status = table.pointee.show?(call.raw, raw.id, roost_viewer(id: viewer.id), rule.rawValue, &out)
        if status == ROOST_ENOTFOUND { return nil }
        try check(status)
        return Array(out.buffer)
    }
}

/// Which rule of a collection decides.
public enum ChangeRule: UInt32, Sendable {
    case list = 0
    case view = 1
}

/// Somebody who looks at changes. Closed with ``Host/close(viewer:)``.
public struct Viewer: Hashable, Sendable {
    let id: UInt64
}

/// What is kept of the past.
public struct ChangeLogState: Sendable, Equatable {
    /// Another one when positions of before mean nothing any more.
    public let name: String
    public let first: Int64
    public let last: Int64
}

/// Who listens to changes. Worker thread, one call at a time.
public protocol ChangeListener: AnyObject, Sendable {
    func changed(_ changes: [Change], _ records: Records)
    /// Collections were changed: keys of viewers made before are void.
    func schemaChanged(_ records: Records)
    /// Changes were dropped because this one is too far behind.
    func lost(_ records: Records)
}

private final class ListenerBox: Sendable {
    let host: Host
    let listener: any ChangeListener
    init(_ host: Host, _ listener: any ChangeListener) {
        self.host = host
        self.listener = listener
    }

    static func with(_ user: UnsafeMutableRawPointer?, _ raw: OpaquePointer?, _ body: (ListenerBox, Call) -> Void) {
        guard let user, let raw else { return }
        let box = Unmanaged<ListenerBox>.fromOpaque(user).takeUnretainedValue()
        body(box, Call(raw, box.host))
    }
}

extension Host {
    /// Listens to what is committed, from the start of the plugins on. Only while registering.
    public func listen(_ listener: any ChangeListener) throws {
        guard let table = changesTable else { throw HostError.denied(ROOST_TABLE_CHANGES) }
        // Lives as long as the process.
        let box = Unmanaged.passRetained(ListenerBox(self, listener))
        var value = roost_changes_listener_v1()
        value.user = box.toOpaque()
        value.changed = { user, raw, changes, count in
            ListenerBox.with(user, raw) { box, call in
                let list = UnsafeBufferPointer(start: changes, count: changes == nil ? 0 : Int(count))
                box.listener.changed(list.map { Change(raw: $0, call: call) }, Records(call))
            }
        }
        value.schema_changed = { user, raw in
            ListenerBox.with(user, raw) { $0.listener.schemaChanged(Records($1)) }
        }
        value.lost = { user, raw in ListenerBox.with(user, raw) { $0.listener.lost(Records($1)) } }
        try check(withUnsafePointer(to: value) { table.pointee.listen?(raw, $0) })
    }

    /// Which collections' changes are wanted from now on, by id. Worker threads.
    public func wantChanges(of collections: Set<String>) {
        var writer = JSONWriter()
        writer.beginArray()
        for id in collections { writer.string(id) }
        writer.endArray()
        _ = writer.bytes.withRoostBytes { changesTable?.pointee.want?(raw, $0) }
    }

    /// Runs a job between two calls of the listener.
    public func betweenChanges(_ job: @escaping @Sendable (Records) -> Void) throws {
        let box = Unmanaged.passRetained(WorkerJob { raw in job(Records(Call(raw, self))) })
        let status = changesTable?.pointee.run?(
            raw,
            { user, call in
                guard let user, let call else { return }
                Unmanaged<WorkerJob>.fromOpaque(user).takeRetainedValue().body(call)
            }, box.toOpaque())
        if (status ?? ROOST_EUNSUPPORTED) < 0 { box.release() }
        try check(status)
    }

    public func close(viewer: Viewer) { _ = changesTable?.pointee.close_viewer?(raw, roost_viewer(id: viewer.id)) }
}

extension Records {
    private func changes() throws -> roost_changes_v1 {
        guard let table = host.changesTable else { throw HostError.denied(ROOST_TABLE_CHANGES) }
        return table.pointee
    }

    /// Whose token it is; nil when it does not count.
    public func identify(_ token: String) throws -> Record? {
        let table = try changes()
        var out = roost_record()
        let status = token.withRoostBytes { table.identify?(call.raw, $0, &out) }
        if status == ROOST_ENOTFOUND { return nil }
        try check(status)
        return Record(out, call)
    }

    /// - Parameters:
    ///   - auth: nil for a guest; may be of another call that is still running.
    ///   - query: of it `filter`, `expand` and `fields` are heeded.
    public func openViewer(auth: Record?, query: JSONObject, headers: JSONObject) throws -> Viewer {
        let table = try changes()
        var out = roost_viewer()
        try check(
            JSON.object(query).serializedBytes().withRoostBytes { query in
                JSON.object(headers).serializedBytes().withRoostBytes {
                    table.open_viewer?(call.raw, auth?.raw ?? roost_record(), query, $0, &out)
                }
            })
        return Viewer(id: out.id)
    }

    /// A text that is equal for viewers who are shown the same of every change of a collection; nil when there is no
    /// such collection.
    public func key(of viewer: Viewer, in collection: String, by rule: ChangeRule) throws -> String? {
        let table = try changes()
        var out = roost_bytes()
        let status = collection.withRoostBytes {
            table.viewer_key?(call.raw, roost_viewer(id: viewer.id), $0, rule.rawValue, &out)
        }
        if status == ROOST_ENOTFOUND { return nil }
        try check(status)
        return out.string
    }

    /// Has changes kept from now on.
    public func keepChangeLog() throws { try check(try changes().keep_log?(call.raw)) }

    /// nil when no changes are kept.
    public func changeLogState() throws -> ChangeLogState? {
        var name = roost_bytes()
        var first: Int64 = 0
        var last: Int64 = 0
        let status = try changes().log_state?(call.raw, &name, &first, &last)
        if status == ROOST_ENOTFOUND { return nil }
        try check(status)
        return ChangeLogState(name: name.string, first: first, last: last)
    }

    /// The kept changes after a position, at most `limit` of them; none when there are no more.
    public func keptChanges(after position: Int64, limit: Int) throws -> [Change] {
        let table = try changes()
        var count = UInt64(limit)
        let list = try [roost_change_v1](unsafeUninitializedCapacity: limit) { buffer, used in
            try check(table.read_log?(call.raw, position, buffer.baseAddress, &count))
            used = Int(count)
        }
        return list.map { Change(raw: $0, call: call) }
    }
}
