internal import CSQLite
internal import Synchronization

/// Stops the statements of one loan of a connection from any thread, for example when the client has gone.
///
/// It does nothing once the loan is over, so that it cannot hit the next user of the connection.
package final class InterruptHandle: Sendable {
    private struct State: @unchecked Sendable {
        // Guarded by the mutex around it; sqlite3_interrupt may be called from any thread while the connection is open.
        var handle: OpaquePointer?
    }

    private let state: Mutex<State>

    init(_ handle: OpaquePointer) {
        state = Mutex(State(handle: handle))
    }

    /// Makes the running statements fail with an error whose `isInterrupted` is true.
    package func interrupt() {
        state.withLock { if let handle = $0.handle { sqlite3_interrupt(handle) } }
    }

    func end() {
        state.withLock { $0.handle = nil }
    }
}
