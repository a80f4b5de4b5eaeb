internal import Engine
internal import Glibc
internal import JSON
internal import PluginABI
internal import Synchronization

/// A request in a plugin's hands, from its handler to its answer: what a `roost_request` names.
///
/// It ends, and its handle with it, when it is answered and the handler has returned. A cancelled one ends when the
/// plugin notices (its completion is told ROOST_ESTALE), so that the plugin's memory of the call stays valid until then.
///
/// `@unchecked Sendable`: `state` is behind its lock, the call behind its own; the rest is constant after `begin`.
package final class PluginExchange: @unchecked Sendable {
    static let table = HandleTable<PluginExchange>()
    /// How many answers came for requests that had one, for `roost plugin check`.
    static let lateAnswers = Atomic<Int>(0)

    private struct State {
        var isAnswered = false
        var isCancelled = false
        var isHandlerRunning = true
        var isPending = false
        var isOver = false
    }

    let source: any PluginRequestSource
    let plugin: LoadedPlugin
    let call: PluginCall
    private(set) var handle: UInt64 = 0
    private let state = Mutex(State())
    private let cancelled: roost_http_cancel?
    private let user: PluginUser?

    /// - Parameter ownsCall: whether the call is the request's own; the call of a hook is not.
    init(
        source: any PluginRequestSource, plugin: LoadedPlugin, call: PluginCall, user: PluginUser?,
        cancelled: roost_http_cancel?
    ) {
        self.source = source
        self.plugin = plugin
        self.call = call
        self.user = user
        self.cancelled = cancelled
        handle = Self.table.insert(self)
    }

    /// Whether an answer would still reach the client.
    var isOpen: Bool { state.withLock { !$0.isAnswered && !$0.isCancelled } && source.isOpen }

    /// Whether the plugin has answered.
    var isAnswered: Bool { state.withLock(\.isAnswered) }

    /// The exchange of a handle that a plugin wants to answer; nil when it is over.
    static func answering(_ handle: UInt64) -> PluginExchange? {
        guard let exchange = table.find(handle) else {
            lateAnswers.add(1, ordering: .relaxed)
            return nil
        }
        return exchange
    }

    /// Takes the right to answer; false when it was answered or cancelled.
    func claimAnswer() -> Bool {
        let (isClaimed, isOver) = state.withLock { state -> (Bool, Bool) in
            if state.isCancelled {
                // The plugin has noticed.
                return (false, !state.isHandlerRunning && Self.end(&state))
            }
            if state.isAnswered {
                Self.lateAnswers.add(1, ordering: .relaxed)
                return (false, false)
            }
            state.isAnswered = true
            return (true, false)
        }
        if isOver { finish() }
        return isClaimed
    }

    /// After the answer was given.
    func answered() {
        let isOver = state.withLock { !$0.isHandlerRunning && Self.end(&$0) }
        if isOver { finish() }
    }

    /// The handler has returned.
    ///
    /// - Returns: whether the answer is still to come.
    func handlerReturned(isPending: Bool) -> Bool {
        let (waits, isOver) = state.withLock { state -> (Bool, Bool) in
            state.isHandlerRunning = false
            state.isPending = isPending
            if isPending, !state.isAnswered { return (true, false) }
            return (false, Self.end(&state))
        }
        if isOver { finish() }
        return waits
    }

    /// The client is gone or the time is over: the plugin is told, and its completion will be a no-op. Any thread,
    /// once or more often.
    package func cancel() {
        let isFirst = state.withLock { state in
            if state.isAnswered || state.isCancelled { return false }
            state.isCancelled = true
            return true
        }
        if isFirst, let cancelled { cancelled(user?.pointer, roost_request(id: handle)) }
    }

    private static func end(_ state: inout State) -> Bool {
        if state.isOver { return false }
        state.isOver = true
        return true
    }

    private func finish() {
        Self.table.remove(handle)
        SharedCalls.release(call)
    }

    /// Ends the handle of a request that a hook has looked at; the call is the hook's.
    func forget() { Self.table.remove(handle) }
}

/// Calls that outlive their handler. They are kept for ever and used again late, so that a plugin that uses one too
/// late finds it inactive.
enum SharedCalls {
    private static let idle = Mutex<[PluginCall]>([])
    private static let quarantine = 256

    static func take(_ plugin: LoadedPlugin) -> PluginCall {
        let call =
            idle.withLock { $0.count > quarantine ? $0.removeFirst() : nil } ?? PluginCall()
        call.begin(plugin, frame: 0)
        return call
    }

    static func release(_ call: PluginCall) {
        call.end()
        idle.withLock { $0.append(call) }
    }
}
