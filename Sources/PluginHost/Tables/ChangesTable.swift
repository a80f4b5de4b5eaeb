internal import Engine
internal import JSON
internal import PluginABI
internal import Store
internal import Synchronization

/// "roost.changes/1".
enum ChangesTable {
    /// A change that a plugin may ask about, for as long as a call lasts.
    final class Handle: Sendable {
        let change: DetailedChange
        init(_ change: DetailedChange) { self.change = change }
    }

    final class Viewer: Sendable {
        let viewer: ChangeViewer
        init(_ viewer: ChangeViewer) { self.viewer = viewer }
    }

    static let handles = HandleTable<Handle>()
    static let viewers = HandleTable<Viewer>()

    static func make() -> roost_changes_v1 {
        roost_changes_v1(
            listen: { host, listener in
                guard let plugin = LoadedPlugin.from(host), let raw = listener?.pointee,
                    let made = ChangeListener(plugin, raw)
                else { return ROOST_EINVALID }
                guard plugin.phase == .initialising else { return ROOST_ETHREAD }
                let isTaken = plugin.services.accepted.withLock { $0.changeListener != nil }
                return plugin.registrations.withLock { registrations in
                    if isTaken || registrations.changeListener != nil { return ROOST_ECONFLICT }
                    registrations.changeListener = made
                    return ROOST_OK
                }
            },
            want: { host, collections in
                guard let plugin = LoadedPlugin.from(host), let buffer = collections.buffer else {
                    return ROOST_EINVALID
                }
                var ids: Set<String> = []
                if !buffer.isEmpty {
                    guard let list = (try? JSONParser.parse(buffer))?.arrayValue else { return ROOST_EINVALID }
                    ids = Set(list.compactMap(\.stringValue))
                }
                guard let services = plugin.services.changes, let listener = plugin.changeListener else {
                    return ROOST_EUNSUPPORTED
                }
                listener.want(ids, services)
                return ROOST_OK
            },
            run: { host, job, user in
                guard let plugin = LoadedPlugin.from(host), let job else { return ROOST_EINVALID }
                guard let listener = plugin.changeListener, listener.run(job, UInt(bitPattern: user)) else {
                    return ROOST_EUNSUPPORTED
                }
                return ROOST_OK
            },
            identify: { call, token, out in
                ChangesTable.with(call) { call, services in
                    guard let out else { return ROOST_EINVALID }
                    out.pointee = roost_record()
                    guard let token = token.text else { return ROOST_EINVALID }
                    guard let record = services.identities.record(of: token) else { return ROOST_ENOTFOUND }
                    out.pointee = call.handle(for: record.copy())
                    return ROOST_OK
                }
            },
            open_viewer: { call, auth, query, headers, out in
                guard PluginCall.from(call) != nil, let out else { return ROOST_EINVALID }
                out.pointee = roost_viewer()
                guard let query = query.object, let headers = headers.object else { return ROOST_EINVALID }
                var identity: Record?
                if auth.id != 0 {
                    let status = RecordsTable.work(auth) { record in
                        identity = Record(collection: record.collection, stored: record.values)
                        return ROOST_OK
                    }
                    guard status == ROOST_OK else { return status }
                }
                let viewer = ChangeViewer(
                    auth: identity, query: ChangesTable.strings(query), headers: ChangesTable.strings(headers))
                out.pointee = roost_viewer(id: ChangesTable.viewers.insert(Viewer(viewer)))
                return ROOST_OK
            },
            close_viewer: { _, viewer in ChangesTable.viewers.remove(viewer.id) == nil ? ROOST_ESTALE : ROOST_OK },
            viewer_key: { call, viewer, collection, rule, out in
                ChangesTable.with(call) { call, services in
                    guard let out else { return ROOST_EINVALID }
                    out.pointee = roost_bytes()
                    guard let name = collection.text, let rule = ChangeRule(rawValue: rule) else {
                        return ROOST_EINVALID
                    }
                    guard let viewer = ChangesTable.viewers.find(viewer.id) else { return ROOST_ESTALE }
                    guard let collection = services.engine.schema.collection(name) else { return ROOST_ENOTFOUND }
                    let key = services.show.key(viewer.viewer, collection, by: rule)
                    guard let bytes = call.copy(key) else { return ROOST_ENOMEM }
                    out.pointee = bytes
                    return ROOST_OK
                }
            },
            show: { call, change, viewer, rule, out in
                ChangesTable.with(call) { call, services in
                    guard let out else { return ROOST_EINVALID }
                    out.pointee = roost_bytes()
                    guard let rule = ChangeRule(rawValue: rule) else { return ROOST_EINVALID }
                    guard let change = ChangesTable.handles.find(change),
                        let viewer = ChangesTable.viewers.find(viewer.id)
                    else {
                        return ROOST_ESTALE
                    }
                    if ThreadRole.current == .loop { return ROOST_ETHREAD }
                    let shown = try services.engine.data.read {
                        try services.show.show(change.change, to: viewer.viewer, by: rule, on: $0)
                    }
                    guard let shown else { return ROOST_ENOTFOUND }
                    guard let bytes = call.copy(shown) else { return ROOST_ENOMEM }
                    out.pointee = bytes
                    return ROOST_OK
                }
            },
            keep_log: { call in
                ChangesTable.with(call) { _, services in
                    guard let log = services.engine.hooks.changes.log else { return ROOST_EUNSUPPORTED }
                    if ThreadRole.current == .loop { return ROOST_ETHREAD }
                    try log.keep()
                    return ROOST_OK
                }
            },
            log_state: { call, name, first, last in
                ChangesTable.with(call) { call, services in
                    guard let name, let first, let last else { return ROOST_EINVALID }
                    name.pointee = roost_bytes()
                    guard let log = services.engine.hooks.changes.log, log.isKept else { return ROOST_ENOTFOUND }
                    if ThreadRole.current == .loop { return ROOST_ETHREAD }
                    let bounds = try services.engine.data.read { try log.bounds(on: $0) }
                    (first.pointee, last.pointee) = bounds
                    guard let bytes = call.copy(log.name) else { return ROOST_ENOMEM }
                    name.pointee = bytes
                    return ROOST_OK
                }
            },
            read_log: { call, after, out, count in
                ChangesTable.with(call) { call, services in
                    guard let out, let count, count.pointee > 0, count.pointee <= 10_000 else { return ROOST_EINVALID }
                    let limit = Int(count.pointee)
                    count.pointee = 0
                    guard let log = services.engine.hooks.changes.log, log.isKept else { return ROOST_ENOTFOUND }
                    if ThreadRole.current == .loop { return ROOST_ETHREAD }
                    let schema = services.engine.schema
                    var start = after
                    // Changes of collections that are gone are passed over; an empty answer means that this is the end.
                    while count.pointee == 0 {
                        let (changes, end) = try services.engine.data.read {
                            try log.read(after: start, limit: limit, schema: schema, on: $0)
                        }
                        if end == start { break }
                        start = end
                        for (index, change) in changes.enumerated() { out[index] = ChangesTable.lend(change, call) }
                        count.pointee = UInt64(changes.count)
                    }
                    return ROOST_OK
                }
            })
    }

    /// A change as the plugin sees it, until the call ends.
    static func lend(_ detailed: DetailedChange, _ call: PluginCall) -> roost_change_v1 {
        var raw = roost_change_v1()
        raw.id = handles.insert(Handle(detailed))
        raw.action = UInt32(detailed.change.action.rawValue)
        raw.position = detailed.position
        raw.collection = call.copy(detailed.change.collectionID) ?? roost_bytes()
        raw.record_id = call.copy(detailed.change.recordID) ?? roost_bytes()
        raw.record = call.handle(for: detailed.record)
        call.atEnd(removing: raw.id)
        return raw
    }

    static func strings(_ object: JSONObject) -> [String: String] {
        var strings: [String: String] = [:]
        for (name, value) in object { strings[name] = value.stringValue ?? value.serialized() }
        return strings
    }

    private static func with(
        _ pointer: OpaquePointer?, _ body: (PluginCall, ChangeServices) throws -> roost_status
    ) -> roost_status {
        guard let call = PluginCall.from(pointer), let owner = call.owner else { return ROOST_EINVALID }
        guard let services = owner.services.changes else { return ROOST_EUNSUPPORTED }
        do {
            return try body(call, services)
        } catch {
            return call.status(for: error)
        }
    }
}
