import Synchronization

/// Keeps removals of files apart from those who copy all of them: nothing goes while somebody holds the files.
final class RemovalGate: Sendable {
    private struct State {
        var holds = 0
        var removals = 0
    }

    private let state = Mutex(State())
    private let changed = ConditionBox()

    /// Begins to hold the files. Waits for removals that are under way.
    func hold() {
        state.withLock { $0.holds += 1 }
        _ = changed.wait { state.withLock { $0.removals == 0 } }
    }

    func release() { state.withLock { $0.holds -= 1 } }

    /// Runs a removal unless the files are held.
    /// - Returns: nil when they are; it was not run then.
    func remove<R, E: Error>(_ removal: () throws(E) -> R) throws(E) -> R? {
        let isFree = state.withLock { state in
            if state.holds == 0 { state.removals += 1 }
            return state.holds == 0
        }
        guard isFree else { return nil }
        defer {
            state.withLock { $0.removals -= 1 }
            changed.broadcast()
        }
        return try removal()
    }
}
