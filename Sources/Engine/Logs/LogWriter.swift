package import JSON
package import Store
import Synchronization

/// Gathers log lines in memory and writes them to `auxiliary.db` in batches, so that a request pays an append for its
/// line and nothing else. What a full disk keeps from being written is dropped and counted.
package final class LogWriter: Sendable {
    /// What the settings say about logs.
    package struct Options: Sendable, Equatable {
        /// 0 turns the log off.
        package var maxDays: Int
        package var minLevel: Int
        package var logsIP: Bool
        package var logsAuthID: Bool
        package init(maxDays: Int = 5, minLevel: Int = 0, logsIP: Bool = true, logsAuthID: Bool = false) {
            self.maxDays = maxDays
            self.minLevel = minLevel
            self.logsIP = logsIP
            self.logsAuthID = logsAuthID
        }
    }

    private struct State {
        var entries: [LogEntry] = []
        var options = Options()
        var stopped = false
        var dropped = 0
    }

    /// Lines that wait at most; more are dropped, the server does not slow down for its log.
    private static let capacity = 100_000
    /// Lines of one transaction, and seconds between two when there are fewer: PocketBase's figures.
    private static let batch = 200
    private static let interval = 3

    private let state = Mutex(State())
    private let wakeup = ConditionBox()
    private let finished = ConditionBox()
    private let isDone = Atomic<Bool>(false)
    private let database: Database

    /// - Parameter database: `auxiliary.db`.
    package init(database: Database) {
        self.database = database
        SystemThread.start(role: .other) { self.run() }
    }

    package var options: Options {
        get { state.withLock { $0.options } }
        set { state.withLock { $0.options = newValue } }
    }

    package func write(_ level: LogEntry.Level, _ message: String, _ data: JSONObject = JSONObject()) {
        append(LogEntry(level: level, content: .message(message, data: data)))
    }

    /// Queues a line. Any thread; never waits for the disk.
    package func append(_ entry: LogEntry) {
        let wakes = state.withLock { state in
            guard state.options.maxDays > 0, entry.level.rawValue >= state.options.minLevel else { return false }
            guard state.entries.count < Self.capacity else {
                state.dropped += 1
                return false
            }
            state.entries.append(entry)
            return state.entries.count == Self.batch
        }
        if wakes { wakeup.signal() }
    }

    /// Writes what waits and ends the thread.
    package func stop() {
        state.withLock { $0.stopped = true }
        wakeup.broadcast()
        _ = finished.wait(seconds: 10) { isDone.load(ordering: .acquiring) }
    }

    /// Writes what waits now. Blocks; not on an event loop.
    package func flush() {
        let entries = state.withLock { state in
            let entries = state.entries
            state.entries.removeAll(keepingCapacity: state.entries.capacity <= 4096)
            return entries
        }
        guard !entries.isEmpty else { return }
        do {
            try database.writeAndWait { transaction in
                for entry in entries { try Self.insert(entry, transaction.connection) }
            }
        } catch {
            state.withLock { $0.dropped += entries.count }
        }
    }

    private static func insert(_ entry: LogEntry, _ connection: Connection) throws {
        let (message, data): (String, JSONObject) =
            switch entry.content {
            case .message(let text, let data): (text, data)
            case .request(let request): (request.message, request.data)
            }
        try connection.withStatement(
            "INSERT INTO `_logs` (`created`, `data`, `id`, `level`, `message`) VALUES (?, ?, ?, ?, ?)"
        ) { statement in
            try statement.bindText(
                Timestamp.format(
                    seconds: entry.milliseconds / 1000, milliseconds: Int(entry.milliseconds % 1000)), at: 1)
            try statement.bindText(JSON.object(data).serialized(), at: 2)
            try statement.bindText(RandomText.make(15, from: RandomText.lowercase), at: 3)
            try statement.bindInt(Int64(entry.level.rawValue), at: 4)
            try statement.bindText(message, at: 5)
            _ = try statement.step()
        }
    }

    /// Removes lines older than the settings keep them.
    package func removeOld() {
        let days = options.maxDays
        let oldest = Timestamp.unixSeconds() - Int64(days) * 86400
        let limit = Timestamp.format(seconds: oldest, milliseconds: 0)
        database.write({ _ = try $0.connection.run("DELETE FROM `_logs` WHERE `created` <= ?", [.text(limit)]) }) { _ in
        }
    }

    private func run() {
        while true {
            _ = wakeup.wait(seconds: Self.interval) {
                state.withLock { $0.stopped || $0.entries.count >= Self.batch }
            }
            flush()
            if state.withLock({ $0.stopped && $0.entries.isEmpty }) { break }
        }
        isDone.store(true, ordering: .releasing)
        finished.broadcast()
    }
}
