package import Store
import Synchronization

/// The data as it was at one moment, for as long as this lives.
///
/// `@unchecked Sendable`: made on the writer's thread and handed on to the one thread that reads with it.
package final class DataSnapshot: @unchecked Sendable {
    private let connection: Connection
    private let pool: SnapshotPool

    fileprivate init(_ connection: Connection, _ pool: SnapshotPool) {
        self.connection = connection
        self.pool = pool
    }

    /// Reads what was there, for as long as any query may take.
    package func read<T>(_ body: (Connection) throws -> T) throws -> T {
        let deadline = pool.timeout.map { monotonicNanoseconds() &+ $0 }
        return try connection.withBudget(deadline: deadline) { try body(connection) }
    }

    deinit { pool.giveBack(connection) }
}

/// Reading connections that hold still at what was committed last before a transaction.
///
/// `@unchecked Sendable`: connections are lent to one user at a time, under the lock; `current` belongs to the writer's
/// thread.
final class SnapshotPool: @unchecked Sendable {
    private struct State {
        var idle: [Connection] = []
        var lent = 0
        var isClosed = false
    }

    /// Commits with deletes that wait to be told: each holds a connection and keeps the log from being emptied.
    private static let limit = 64
    private let path: String
    private let prepare: (@Sendable (Connection) throws -> Void)?
    fileprivate let timeout: UInt64?
    private let state = Mutex(State())
    private weak var current: DataSnapshot?
    private var currentTransaction: ObjectIdentifier?

    init(_ database: Database) {
        path = database.path
        prepare = database.configuration.prepareConnection
        timeout = database.configuration.queryTimeout
    }

    /// The snapshot from before a running transaction; nil when too many are out. The writer's thread.
    func snapshot(for transaction: Transaction) -> DataSnapshot? {
        let id = ObjectIdentifier(transaction)
        if currentTransaction == id, let current { return current }
        guard let connection = take() else { return nil }
        let made = DataSnapshot(connection, self)
        do {
            try connection.run("BEGIN")
            // The first read is what the snapshot is taken at.
            _ = try connection.scalar("SELECT 1 FROM sqlite_schema LIMIT 1")
        } catch { return nil }
        current = made
        currentTransaction = id
        // Another transaction may get the same address.
        transaction.afterCommit { [self] in currentTransaction = nil }
        transaction.afterRollback { [self] in currentTransaction = nil }
        return made
    }

    private func take() -> Connection? {
        let (isAllowed, idle) = state.withLock { state -> (Bool, Connection?) in
            guard !state.isClosed, state.lent < Self.limit else { return (false, nil) }
            state.lent += 1
            return (true, state.idle.popLast())
        }
        if let idle { return idle }
        guard isAllowed else { return nil }
        if let connection = try? open() { return connection }
        state.withLock { $0.lent -= 1 }
        return nil
    }

    private func open() throws -> Connection {
        var options = Connection.Configuration()
        options.cacheKiB = 500
        options.statementCacheSize = 64
        let connection = try Connection(path: path, access: .readOnly, configuration: options)
        do { try prepare?(connection) } catch {
            connection.close()
            throw error
        }
        return connection
    }

    fileprivate func giveBack(_ connection: Connection) {
        if connection.isInTransaction { _ = try? connection.run("ROLLBACK") }
        let closes = state.withLock { state in
            state.lent -= 1
            if state.isClosed || state.idle.count >= 2 { return true }
            state.idle.append(connection)
            return false
        }
        if closes { connection.close() }
    }

    func close() {
        let idle = state.withLock { state in
            defer { state.idle = [] }
            state.isClosed = true
            return state.idle
        }
        for connection in idle { connection.close() }
    }
}
