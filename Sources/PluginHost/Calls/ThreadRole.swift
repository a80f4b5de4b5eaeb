/// What a thread is for, as the tags of the ABI's headers name it. Whoever runs a thread says so once; calls into
/// plugins set what they know themselves.
package enum ThreadRole: UInt8, Sendable {
    case unknown, loop, worker, writer

    /// The role of the thread that asks.
    package static var current: ThreadRole {
        get { CallThread.current.role }
        set { CallThread.current.role = newValue }
    }

    /// Runs `body` in a role.
    package static func with<R>(_ role: ThreadRole, _ body: () throws -> R) rethrows -> R {
        let thread = CallThread.current
        let before = thread.role
        thread.role = role
        defer { thread.role = before }
        return try body()
    }
}
