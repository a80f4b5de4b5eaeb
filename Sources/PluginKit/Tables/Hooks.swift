internal import PluginABI

/// One happening that a hook takes part in. Valid until the handler returns, on its thread.
public struct Event {
    let raw: roost_event
    let call: Call
    let table: UnsafePointer<roost_hooks_v1>

    /// Lets the rest happen: the other handlers, then the action itself. Without it the action does not happen.
    ///
    /// - Throws: the rest's failure; let it pass, or mend it.
    public func next() throws {
        try check(table.pointee.next?(call.raw, raw))
    }

    /// The name of the event, e.g. `recordCreate`.
    public var name: String {
        var out = roost_bytes()
        guard let status = table.pointee.name?(raw, &out), status >= 0 else { return "" }
        return out.string
    }

    /// The record it is about.
    public var record: Record? {
        var out = roost_record()
        guard let status = table.pointee.record?(raw, &out), status >= 0 else { return nil }
        return Record(out, call)
    }

    /// The request that caused it, of the request events.
    public var request: HTTPRequest? {
        var out = roost_request()
        guard let status = table.pointee.request?(raw, &out), status >= 0 else { return nil }
        return HTTPRequest(out, call)
    }

    /// Records as the event's transaction sees them.
    public var records: Records {
        var transaction = roost_transaction()
        guard let status = table.pointee.transaction?(raw, &transaction), status >= 0 else { return Records(call) }
        return Records(call, transaction)
    }
}

extension Host {
    /// Takes part in what happens to records.
    ///
    ///     try host.hook("recordCreate", collections: ["posts"]) { event in
    ///         if event.record?["title"] == .text("forbidden") { throw ServiceError.badRequest("Not that title.") }
    ///         try event.next()
    ///     }
    ///
    /// - Parameters:
    ///   - event: an event of `roost/hooks.h`, e.g. `recordAfterCreateSuccess`.
    ///   - collections: names or ids; empty for all.
    ///   - priority: handlers run in ascending order.
    public func hook(
        _ event: String, collections: [String] = [], priority: Int = 0,
        _ handler: @escaping @Sendable (Event) throws -> Void
    ) throws {
        guard let table = hooksTable else { throw HostError.denied(ROOST_TABLE_HOOKS) }
        let box = Unmanaged.passRetained(HookBox(self, table, handler))
        var hook = roost_hook_v1()
        hook.priority = Int32(clamping: priority)
        hook.user = box.toOpaque()
        hook.handler = { user, raw, event in
            guard let user, let raw else { return ROOST_EINVALID }
            let box = Unmanaged<HookBox>.fromOpaque(user).takeUnretainedValue()
            let call = Call(raw, box.host)
            return call.run { try box.handler(Event(raw: event, call: call, table: box.table)) }
        }
        hook.free = { user in
            if let user { Unmanaged<HookBox>.fromOpaque(user).release() }
        }
        let status = event.withRoostBytes { event in
            collections.joined(separator: ",").withRoostBytes { collections in
                hook.event = event
                hook.collections = collections
                return withUnsafePointer(to: hook) { table.pointee.add?(raw, $0) }
            }
        }
        if (status ?? ROOST_EUNSUPPORTED) < 0 { box.release() }
        try check(status)
    }
}

/// `@unchecked Sendable`: immutable; the table is the host's for ever.
private final class HookBox: @unchecked Sendable {
    let host: Host
    let table: UnsafePointer<roost_hooks_v1>
    let handler: @Sendable (Event) throws -> Void

    init(
        _ host: Host, _ table: UnsafePointer<roost_hooks_v1>, _ handler: @escaping @Sendable (Event) throws -> Void
    ) {
        self.host = host
        self.table = table
        self.handler = handler
    }
}
