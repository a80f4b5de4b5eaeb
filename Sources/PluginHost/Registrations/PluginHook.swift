package import Engine
internal import PluginABI

/// One happening that hooks have a say in, made by the engine's hooks. On the thread that it happens on.
package protocol PluginEvent: AnyObject {
    /// As the ABI names it, e.g. `recordCreate`.
    var name: String { get }
    var record: Record? { get }
    var request: (any PluginRequestSource)? { get }
    /// The transaction that it happens in.
    var transaction: RecordTransaction? { get }
    /// Runs the rest of the chain: the other handlers, then the action. Called once at most.
    func next() throws
}

/// A handler that a plugin registered for an event.
package struct PluginHook: Sendable {
    let plugin: LoadedPlugin
    package let event: HookName
    /// Names or ids; empty for all.
    package let collections: [String]
    /// Ascending.
    package let priority: Int
    let user: PluginUser
    let handler: roost_hook_handler

    package var pluginID: String { plugin.id }

    /// Whether it wants the events of a collection.
    package func concerns(_ collection: Collection) -> Bool {
        collections.isEmpty || collections.contains { $0 == collection.id || $0 == collection.name }
    }

    /// Runs the handler. It has called `event.next()` or, on purpose, not.
    ///
    /// - Throws: what the rest of the chain threw, if the handler passes it on; otherwise the handler's own failure as
    ///   a `ServiceError`.
    package func run(_ event: any PluginEvent) throws {
        try ThreadRole.with(event.transaction == nil ? .worker : .writer) {
            try withCall(plugin) { call in
                call.event = event
                call.record = event.record
                call.transaction = event.transaction
                defer { call.endEventRequest() }
                let status = handler(user.pointer, call.pointer, roost_event(id: call.frame))
                if status < 0 { throw call.error(status) }
            }
        }
    }
}
