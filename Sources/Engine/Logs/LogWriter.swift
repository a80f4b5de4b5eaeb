package import JSON
package import Store
import Synchronization

/// Gathers log lines in memory and has them inserted into `auxiliary.db` when there is time for it: at once on a server that
/// has little to do; while it is busy they go to the ``LogSpool``, which is much cheaper, and are inserted later. A
/// request pays an append for its line and nothing else. What neither takes is dropped and counted.
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

    /// Positions are bytes of blocks; lines are done with in the order that they came in.
    private struct State {
        var waiting: LogBuffer
        var options: Options
        /// How far lines were inserted, or let go of.
        var finished = 0
        /// Up to where somebody waits for them, and until when.
        var wanted = 0
        var wantedUntil: UInt64 = 0
        /// Whether the thread is to look.
        var isCalled = false
        var stopped = false
        var dropped = 0
        /// What became of the writer's job.
        var result: Result<Void, StoreError>?

        mutating func takeResult() -> Result<Void, StoreError>? {
            defer { result = nil }
            return result
        }
    }

    /// Milliseconds that a line waits in memory at most, as in PocketBase.
    private static let interval = 3000
    /// Milliseconds after which the thread looks whether there is time to insert what is in the spool.
    private static let patience = 100
    /// Nanoseconds of insertion before the thread ends; the rest is left to the next start.
    private static let lastWork: UInt64 = 1_000_000_000

    private let state: Mutex<State>
    /// Held while lines leave the memory; nil without a spool.
    private let spool: Mutex<LogSpool?>
    private let wakeup = ConditionBox()
    private let progress = ConditionBox()
    private let isDone = Atomic<Bool>(false)
    private let database: Database
    private let printer: LogPrinter?
    private let hasTime: (@Sendable () -> Bool)?

    /// - Parameters:
    ///   - database: `auxiliary.db`.
    ///   - options: what the settings say at first.
    ///   - spools: whether lines may wait in files beside it; only for the process that has the folder.
    ///   - printer: shows all lines, whatever their level.
    ///   - hasTime: says whether lines are inserted now, in place of the process's load.
    package init(
        database: Database, options: Options = Options(), spools: Bool, printer: LogPrinter? = nil,
        hasTime: (@Sendable () -> Bool)? = nil
    ) throws {
        self.database = database
        self.printer = printer
        self.hasTime = hasTime
        let spool = spools ? LogSpool(beside: database.path) : nil
        state = Mutex(State(waiting: LogBuffer(position: spool?.size ?? 0), options: options))
        self.spool = Mutex(spool)
        guard SystemThread.start({ self.run() }) else {
            throw ServiceError(status: 500, message: "The system has no thread left.")
        }
    }

    /// Bytes of lines that wait in files to be inserted. Looks, and changes nothing.
    /// - Parameter path: the path of `auxiliary.db`.
    package static func spooledBytes(beside path: String) -> Int { LogSpool(beside: path).size }

    /// Whether lines are shown to somebody who wants all of them.
    package var prints: Bool { printer != nil }

    package var options: Options {
        get { state.withLock { $0.options } }
        set { state.withLock { $0.options = newValue } }
    }

    /// Lines that could not be kept and of which no line tells yet.
    var dropped: Int { state.withLock { $0.dropped } }

    package func write(_ level: LogEntry.Level, _ message: String, _ data: JSONObject = JSONObject()) {
        let entry = LogEntry(level: level, message: message, data: data)
        printer?.print(entry)
        append(level) { $0.append(entry) }
    }

    /// Queues a request's line. Any thread; never waits for the disk.
    package func append(_ request: borrowing RequestLog) {
        printer?.print(request)
        append(request.level) { $0.append(request) }
    }

    /// - Parameter put: appends the line and tells whether a block became complete by it.
    @inline(__always)
    private func append(_ level: LogEntry.Level, _ put: (inout LogBuffer) -> Bool) {
        let isFull = state.withLock { state in
            guard state.options.maxDays > 0, level.rawValue >= state.options.minLevel else { return false }
            guard !state.waiting.isFull else {
                state.dropped += 1
                return false
            }
            guard put(&state.waiting) else { return false }
            state.isCalled = true
            return true
        }
        if isFull { wakeup.signal() }
    }

    /// Has all lines that came before inserted now. Blocks; not on an event loop.
    /// - Parameter seconds: how long it takes at most; under load, there may be more to insert than can be in that time.
    package func flush(seconds: Double = 1) {
        let target = state.withLock { state in
            state.waiting.seal()
            state.wanted = state.waiting.position
            state.wantedUntil = max(state.wantedUntil, Timestamp.monotonic() + UInt64(seconds * 1_000_000_000))
            state.isCalled = true
            return state.wanted
        }
        wakeup.signal()
        _ = progress.wait(milliseconds: Int(seconds * 1000)) {
            isDone.load(ordering: .acquiring) || state.withLock { $0.finished >= target }
        }
    }

    /// Inserts what waits, or leaves it to the next start when there is much, and ends the thread.
    package func stop() {
        state.withLock { $0.stopped = true }
        wakeup.broadcast()
        _ = progress.wait(seconds: 10) { isDone.load(ordering: .acquiring) }
    }

    /// Removes all lines, those that wait too, and gives the space back.
    package func clear() throws {
        try spool.withLock { spool in
            state.withLock { $0.finished += $0.waiting.clear() + (spool?.size ?? 0) }
            try spool?.removeAll()
        }
        progress.broadcast()
        // After what the writer is inserting now.
        try database.writeAndWait { try $0.connection.run("DELETE FROM `_logs`") }
        try database.maintain { try $0.execute("VACUUM") }
    }

    /// Removes lines that other settings would not have kept. Those that wait are judged when they are inserted.
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
        let (seconds, rest) = options.oldest.quotientAndRemainder(dividingBy: 1000)
        return Timestamp.format(seconds: seconds, milliseconds: Int(rest))
    }

    private static func delete(before limit: String, in transaction: Transaction) throws {
        try transaction.connection.run("DELETE FROM `_logs` WHERE `created` <= ?", [.text(limit)])
    }

    // MARK: - The thread

    /// What speaks for inserting lines now.
    private enum Claim {
        /// There is something else to do.
        case busy
        case idle
        /// Somebody waits for it.
        case urgent
    }

    /// A block that the database's writer has. The thread does not wait for it: a slow disk must not keep lines in memory.
    private struct Job {
        var block: LogBlock
        let isSpooled: Bool
        /// The spool's generation: one that was cleared since has not got the block any more.
        let generation: Int
    }

    private enum Step {
        case done
        case nothing
        /// The writer is at it.
        case waiting
        /// There is something to insert, when there is time.
        case later
        /// To be tried again as often as there are lines without faults.
        case failed
    }

    private func run() {
        var load = ProcessorLoad(without: database)
        var sealed = Timestamp.monotonic()
        var job: Job?
        let (isFresh, lastWork) = spool.withLock {
            ($0?.isEmpty ?? true, $0 == nil ? 8 * Self.lastWork : Self.lastWork)
        }
        var pause = isFresh ? Self.interval : Self.patience
        /// When the thread ends, once it was stopped.
        var end: UInt64?
        while true {
            _ = wakeup.wait(milliseconds: pause) { state.withLock { $0.isCalled || $0.stopped && end == nil } }
            let now = Timestamp.monotonic()
            let isOld = now - sealed >= UInt64(Self.interval) * 1_000_000
            if isOld { sealed = now }
            let isStopped = state.withLock { state in
                state.isCalled = false
                if isOld || state.stopped { state.waiting.seal() }
                return state.stopped
            }
            if isStopped, end == nil { end = now + lastWork }
            let step = work(&job) {
                let now = Timestamp.monotonic()
                if let end { return now < end ? .urgent : .busy }
                if state.withLock({ $0.finished < $0.wanted && now < $0.wantedUntil }) { return .urgent }
                if let hasTime { return hasTime() ? .idle : .busy }
                load.update()
                return load.isBusy ? .busy : .idle
            }
            pause = step == .later ? Self.patience : Self.interval
            if let end {
                let left = Int(end) - Int(Timestamp.monotonic())
                if step != .waiting || left <= 0 { break }
                pause = left / 1_000_000 + 1
            }
        }
        spool.withLock { spool in
            // Should the writer still insert it, the next start knows it by its ids.
            if let job, !job.isSpooled { state.withLock { $0.waiting.putBack(job.block) } }
            while var block = state.withLock({ $0.waiting.takeFirst() }) {
                block.seal()
                try? spool?.append(block)
            }
            spool?.closeFiles()
        }
        isDone.store(true, ordering: .releasing)
        progress.broadcast()
    }

    /// Moves blocks on, until there are none or it is not the time for it.
    private func work(_ job: inout Job?, _ claim: () -> Claim) -> Step {
        while true {
            let claim = claim()
            let step = spool.withLock { move(&$0, &job, claim) }
            guard step == .done else { return step }
        }
    }

    /// Moves one block on.
    private func move(_ spool: inout LogSpool?, _ job: inout Job?, _ claim: Claim) -> Step {
        if let current = job, let isInserted = state.withLock({ $0.takeResult() }) {
            job = nil
            return end(current, isInserted, &spool)
        }
        let size = spool?.size ?? 0
        let isFull = size >= LogSpool.limit
        let isStopped = state.withLock { $0.stopped }
        if !isFull || isStopped, spool != nil || job == nil, let block = state.withLock({ $0.waiting.takeFirst() }) {
            return place(block, in: &spool, &job, claim)
        }
        if job != nil { return .waiting }
        guard spool?.isEmpty == false else { return .nothing }
        guard claim != .busy || isFull && !isStopped else { return .later }
        let block = spool?.first()
        // Blocks that are damaged are done with.
        finish(size - (spool?.size ?? 0))
        if let block { job = insert(block, isSpooled: true, spool) }
        return .done
    }

    /// Takes a block from the memory to the table or to the spool.
    private func place(_ block: LogBlock, in spool: inout LogSpool?, _ job: inout Job?, _ claim: Claim) -> Step {
        var block = block
        block.seal()
        // One that is not full by its time tells of so few requests that it never matters when it is inserted. What is in
        // the spool comes before.
        if spool == nil || spool?.isEmpty == true && job == nil && (claim == .urgent || !block.isFull) {
            job = insert(block, isSpooled: false, spool)
        } else if (try? spool?.append(block)) != nil {
            state.withLock { $0.waiting.reuse(&block) }
        } else {
            // The memory is where it may wait until it is full.
            state.withLock { $0.waiting.putBack(block) }
            return .failed
        }
        return .done
    }

    /// Has a block's lines inserted.
    private func insert(_ block: LogBlock, isSpooled: Bool, _ spool: LogSpool?) -> Job {
        database.write(retryable: true) { [self] transaction in
            // The options of when it is its turn: whoever changes them removes afterwards what was inserted before.
            let options = self.options
            let oldest = options.oldest
            try LogTable.insert(
                block, keeping: { options.maxDays > 0 && $0.level >= options.minLevel && $0.milliseconds > oldest },
                transaction.connection)
        } completion: { [self] result in
            state.withLock { state in
                state.result = result.mapError { $0 as? StoreError ?? .closed }
                state.isCalled = true
            }
            wakeup.signal()
        }
        return Job(block: block, isSpooled: isSpooled, generation: spool?.generation ?? 0)
    }

    /// Lets go of a block that was inserted, or never will be.
    private func end(_ job: Job, _ result: Result<Void, StoreError>, _ spool: inout LogSpool?) -> Step {
        var job = job
        switch result {
        case .success: reportDropped()
        case .failure(let error):
            if error.mayPass {
                if !job.isSpooled { state.withLock { $0.waiting.putBack(job.block) } }
                return .failed
            }
            let count = job.block.lines.count
            state.withLock { $0.dropped += count }
        }
        if !job.isSpooled {
            finish(job.block.size)
            state.withLock { $0.waiting.reuse(&job.block) }
        } else if let size = spool?.size, spool?.generation == job.generation {
            spool?.remove(job.block)
            finish(size - (spool?.size ?? 0))
        }
        progress.broadcast()
        return .done
    }

    private func finish(_ bytes: Int) { state.withLock { $0.finished += bytes } }

    /// Tells of lines that were dropped, now that lines can be kept again.
    private func reportDropped() {
        let count = state.withLock { state in
            defer { state.dropped = 0 }
            return state.dropped
        }
        if count > 0 { write(.warn, "Log lines could not be kept.", ["lines": .number(Double(count))]) }
    }
}

extension LogWriter.Options {
    /// Unix milliseconds up to which lines are not kept.
    fileprivate var oldest: Int64 {
        let (span, overflows) = Int64(maxDays).multipliedReportingOverflow(by: 86_400_000)
        return overflows ? 0 : max(0, Timestamp.microseconds() / 1000 - span)
    }
}
