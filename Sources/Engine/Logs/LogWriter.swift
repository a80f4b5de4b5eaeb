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
        var waiting = LogBuffer()
        var options = Options()
        var stopped = false
        var dropped = 0
    }

    /// Lines of one transaction, and seconds between two when there are fewer. PocketBase's is 200 lines; with more,
    /// the pages of the indexes that many lines share are written once.
    private static let batch = 1000
    private static let interval = 3

    private let state = Mutex(State())
    /// Held while lines are written, so that there are two buffers at most.
    private let writing = Mutex(LogBuffer())
    private let wakeup = ConditionBox()
    private let finished = ConditionBox()
    private let isDone = Atomic<Bool>(false)
    private let database: Database
    private let printer: LogPrinter?

    /// - Parameters:
    ///   - database: `auxiliary.db`.
    ///   - printer: shows all lines, whatever their level.
    package init(database: Database, printer: LogPrinter? = nil) {
        self.database = database
        self.printer = printer
        SystemThread.start { self.run() }
    }

    /// Whether lines are shown to somebody who wants all of them.
    package var prints: Bool { printer != nil }

    package var options: Options {
        get { state.withLock { $0.options } }
        set { state.withLock { $0.options = newValue } }
    }

    package func write(_ level: LogEntry.Level, _ message: String, _ data: JSONObject = JSONObject()) {
        append(LogEntry(level: level, content: .message(message, data: data)))
    }

    /// Queues a line. Any thread; never waits for the disk.
    package func append(_ entry: LogEntry) {
        printer?.print(entry)
        let wakes = state.withLock { state in
            guard state.options.maxDays > 0, entry.level.rawValue >= state.options.minLevel else { return false }
            // The server does not slow down for its log.
            guard !state.waiting.isFull else {
                state.dropped += 1
                return false
            }
            state.waiting.append(entry)
            return state.waiting.lines.count == Self.batch
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
        // Two buffers take turns: one is filled while the other is written.
        writing.withLock { buffer in
            state.withLock { swap(&$0.waiting, &buffer) }
            guard !buffer.lines.isEmpty else { return }
            do {
                try database.writeAndWait { try Self.insert(buffer, $0.connection) }
            } catch {
                state.withLock { $0.dropped += buffer.lines.count }
            }
            buffer.clear()
        }
    }

    private static func insert(_ buffer: LogBuffer, _ connection: Connection) throws {
        try connection.withStatement(
            "INSERT INTO `_logs` (`created`, `data`, `id`, `level`, `message`) VALUES (?, ?, ?, ?, ?)"
        ) { statement in
            var number = UInt32.random(in: .min ... .max)
            try buffer.forEach { line, message, data in
                let (seconds, rest) = line.milliseconds.quotientAndRemainder(dividingBy: 1000)
                try statement.bindText(Timestamp.format(seconds: seconds, milliseconds: Int(rest)), at: 1)
                try statement.bindText(utf8: data, at: 2)
                try statement.bindText(id(at: line.milliseconds, number: number), at: 3)
                try statement.bindInt(Int64(line.level), at: 4)
                try statement.bindText(utf8: message, at: 5)
                _ = try statement.step()
                statement.reset()
                number &+= 1
            }
        }
    }

    /// An id of PocketBase's length and alphabet that begins with the time: ids in order go to the end of their index,
    /// where random ones would change a page each.
    ///
    /// - Parameter number: what tells it from the others of one flush; the first is random, to tell it from other flushes.
    private static func id(at milliseconds: Int64, number: UInt32) -> String {
        // Nine digits of base 36 are enough until the year 5188, six hold any number.
        String(unsafeUninitializedCapacity: 15) { text in
            func put(_ value: UInt64, _ range: Range<Int>) {
                var value = value
                for place in range.reversed() {
                    text[place] = RandomText.lowercase[Int((value + 26) % 36)]
                    value /= 36
                }
            }
            put(UInt64(max(0, milliseconds)), 0..<9)
            put(UInt64(number), 9..<15)
            return 15
        }
    }

    /// Removes all lines, those that wait too, and gives the space back.
    package func clear() throws {
        state.withLock { $0.waiting.clear() }
        try database.writeAndWait { try $0.connection.run("DELETE FROM `_logs`") }
        try database.maintain { try $0.execute("VACUUM") }
    }

    /// Removes lines that other settings would not have kept.
    package func settingsChanged() {
        let (options, limit) = (self.options, oldest)
        database.write({ transaction in
            try transaction.connection.run(
                "DELETE FROM `_logs` WHERE `created` <= ? OR `level` < ?",
                [.text(limit), .integer(Int64(options.minLevel))])
        }) { [self] result in
            guard case .success(let count) = result, count > 0, options.maxDays == 0 else { return }
            try? database.maintain { try $0.execute("VACUUM") }
        }
    }

    /// Removes lines older than the settings keep them.
    package func removeOld() {
        let limit = oldest
        database.write({ try Self.delete(before: limit, in: $0) }) { _ in }
    }

    /// The same, and waits for it.
    package func deleteOld() throws {
        let limit = oldest
        try database.writeAndWait { try Self.delete(before: limit, in: $0) }
    }

    /// The time of the last line that is not kept.
    private var oldest: String {
        Timestamp.format(seconds: Timestamp.unixSeconds() - Int64(options.maxDays) * 86400, milliseconds: 0)
    }

    private static func delete(before limit: String, in transaction: Transaction) throws {
        try transaction.connection.run("DELETE FROM `_logs` WHERE `created` <= ?", [.text(limit)])
    }

    private func run() {
        while true {
            _ = wakeup.wait(seconds: Self.interval) {
                state.withLock { $0.stopped || $0.waiting.lines.count >= Self.batch }
            }
            flush()
            if state.withLock({ $0.stopped && $0.waiting.lines.isEmpty }) { break }
        }
        isDone.store(true, ordering: .releasing)
        finished.broadcast()
    }
}
