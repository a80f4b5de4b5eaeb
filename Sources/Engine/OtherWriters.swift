import Store
import Synchronization

/// Notices once a second whether the database was written to, so that what is kept in memory is checked against what
/// other processes may have changed (`roost superuser upsert` beside a running server, or PocketBase's tools).
///
/// `PRAGMA data_version` of a connection that never writes changes with every commit of any other, this process's own
/// included; what is done then is cheap enough not to tell them apart.
final class OtherWriters: Sendable {
    private struct State {
        var actions: [@Sendable () -> Void] = []
        var isStopped = false
        var hasEnded = true
    }

    private let state = Mutex(State())
    private let wakeup = ConditionBox()

    func subscribe(_ action: @escaping @Sendable () -> Void) { state.withLock { $0.actions.append(action) } }

    /// Begins to look.
    /// - Parameters:
    ///   - path: the database's file.
    ///   - check: compares what is stored with what is known.
    func start(path: String, check: @escaping @Sendable (Connection) throws -> Void) throws {
        state.withLock { $0.hasEnded = false }
        let isStarted = SystemThread.start { [self] in
            watch(path, check)
            state.withLock { $0.hasEnded = true }
            wakeup.broadcast()
        }
        if isStarted { return }
        state.withLock { $0.hasEnded = true }
        throw ServiceError(status: 500, message: "The system has no thread left.")
    }

    func stop() {
        state.withLock { $0.isStopped = true }
        wakeup.broadcast()
        _ = wakeup.wait(seconds: 5) { state.withLock { $0.hasEnded } }
    }

    private func watch(_ path: String, _ check: (Connection) throws -> Void) {
        var options = Connection.Configuration()
        options.cacheKiB = 200
        options.statementCacheSize = 4
        guard let connection = try? Connection(path: path, access: .readOnly, configuration: options) else { return }
        guard var last = try? connection.dataVersion else { return }
        while !state.withLock({ $0.isStopped }) {
            _ = wakeup.wait(seconds: 1) { state.withLock { $0.isStopped } }
            guard let version = try? connection.dataVersion, version != last else { continue }
            last = version
            try? check(connection)
            for action in state.withLock({ $0.actions }) { action() }
        }
    }
}
