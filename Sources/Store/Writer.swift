internal import CSQLite
internal import Glibc
internal import Synchronization

/// The one thread that writes to a database: it takes the jobs that have queued up while it was busy, runs each in a
/// savepoint of one transaction, commits, and only then reports them done. A commit waits for the disk, so sharing it
/// is what makes `synchronous=FULL` cheap.
///
/// `@unchecked Sendable`: `queue`, `queued` and `isStopping` are guarded by the monitor; everything else that changes is
/// touched by the writer's thread alone.
final class Writer: @unchecked Sendable {
    struct Limits: Sendable {
        /// The most jobs of one transaction.
        var batchSize: Int
        /// How long jobs are added to a transaction, in nanoseconds.
        var batchTime: UInt64
        /// The most jobs that may wait.
        var queueLength: Int
        /// Whether the log is copied into the database.
        var checkpoints: Bool
        /// Pages of the log after which it is.
        var checkpointPages: Int32
    }

    private let connection: Connection
    private let limits: Limits
    private let onIdle: @Sendable () -> Void
    private let onNewStatistics: @Sendable () -> Void
    private var statistics = PlannerStatistics()

    private let monitor = Monitor()
    private var queue: [WriteJob] = []
    private var queued = 0
    private var isStopping = false

    private let thread: UnsafeMutablePointer<pthread_t>
    /// The clock of the processor time that the thread has used; one of nothing before it runs.
    private let clock = Atomic<clockid_t>(-1)
    private let state: UnsafeMutablePointer<WriterState>
    private var current: Transaction?
    /// Whether the thread closes the connection itself, because nobody waits for its end.
    private var closesAtEnd = false

    /// What SQLite's hooks see and change.
    struct WriterState {
        /// Whether the commit about to happen is the writer's own.
        var allowsCommit = true
        /// Pages in the log after the last commit.
        var logPages: Int32 = 0
        /// After how many pages the log is copied into the database, and from how many on now.
        let checkpointInterval: Int32
        var checkpointAt: Int32
        /// Whether the log has anything that the database has not.
        var isLogDirty = true
        /// How many want the database's file to stay as it is.
        var holds = 0
    }

    /// How long after the last job the log is emptied and memory given back, in nanoseconds.
    private static let idleTime: UInt64 = 2_000_000_000
    private static let idleTimeLimit: UInt64 = 60_000_000_000
    /// What a cascade of 10,000 levels needs, twice, with hooks in between.
    private static let stackBytes = 256 << 20

    /// Starts the thread. The connection belongs to it from now on.
    ///
    /// - Parameters:
    ///   - onIdle: called when nothing was written for a while.
    ///   - onNewStatistics: called when connections opened before plan by statistics that are out of date.
    init(
        _ connection: Connection, limits: Limits, onIdle: @escaping @Sendable () -> Void,
        onNewStatistics: @escaping @Sendable () -> Void
    ) throws(StoreError) {
        self.connection = connection
        self.limits = limits
        self.onIdle = onIdle
        self.onNewStatistics = onNewStatistics
        if limits.checkpoints { _ = statistics.refresh(connection) }
        thread = .allocate(capacity: 1)
        thread.initialize(to: pthread_t())
        state = .allocate(capacity: 1)
        state.initialize(
            to: WriterState(checkpointInterval: limits.checkpointPages, checkpointAt: limits.checkpointPages))
        installHooks()

        var attributes = pthread_attr_t()
        pthread_attr_init(&attributes)
        defer { pthread_attr_destroy(&attributes) }
        // Hooks, deep JSON and cascades run on it; the memory is only reserved.
        pthread_attr_setstacksize(&attributes, Writer.stackBytes)
        let context = Unmanaged.passRetained(self)
        let code = pthread_create(
            thread, &attributes,
            { context in
                guard let context else { return nil }
                let writer = Unmanaged<Writer>.fromOpaque(context).takeRetainedValue()
                writer.loop()
                return nil
            }, context.toOpaque())
        guard code == 0 else {
            context.release()
            throw StoreError(code: SQLITE_NOMEM, message: "the writer's thread cannot be started")
        }
    }

    deinit {
        // The connection is closed by now, and with it gone are the hooks that see the state.
        connection.close()
        state.deallocate()
        thread.deallocate()
    }

    private func installHooks() {
        sqlite3_commit_hook(
            connection.handle,
            { context in
                guard let context else { return 0 }
                return context.assumingMemoryBound(to: WriterState.self).pointee.allowsCommit ? 0 : 1
            }, state)
        sqlite3_wal_hook(
            connection.handle,
            { context, _, _, pages in
                guard let context else { return SQLITE_OK }
                let state = context.assumingMemoryBound(to: WriterState.self)
                // Fewer pages than before: the log has begun anew.
                if pages < state.pointee.logPages { state.pointee.checkpointAt = state.pointee.checkpointInterval }
                state.pointee.logPages = pages
                state.pointee.isLogDirty = true
                return SQLITE_OK
            }, state)
    }

    // MARK: Any thread

    /// Whether the caller runs on the writer's thread.
    var isCurrentThread: Bool { pthread_equal(thread.pointee, pthread_self()) != 0 }

    /// Queues a job; fails if too many wait or the writer has stopped.
    ///
    /// - Parameter isOwed: whether the job ends something, and so waits however many wait before it.
    func enqueue(_ job: WriteJob, isOwed: Bool = false) throws(StoreError) {
        let refusal: StoreError? = monitor.withLock {
            if isStopping { return StoreError.closed }
            if queued >= limits.queueLength, !isOwed { return StoreError.overloaded("too many writes are waiting") }
            queue.append(job)
            queued += 1
            if queue.count == 1 { monitor.signal() }
            return nil
        }
        if let refusal { throw refusal }
    }

    /// Has the thread end when all jobs queued so far are done, and waits for that unless on the thread itself.
    func stop() {
        let isFirst = monitor.withLock {
            defer { isStopping = true }
            monitor.broadcast()
            return !isStopping
        }
        guard isFirst else { return }
        if isCurrentThread {
            closesAtEnd = true
            pthread_detach(thread.pointee)
        } else {
            pthread_join(thread.pointee, nil)
        }
    }

    /// Processor time of the thread in nanoseconds.
    var processorTime: UInt64 {
        let clock = clock.load(ordering: .relaxed)
        var time = timespec()
        // The clock of a thread that has ended is refused.
        guard clock != -1, clock_gettime(clock, &time) == 0 else { return 0 }
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }

    // MARK: The writer's thread

    /// The transaction of the job that is running.
    var currentTransaction: Transaction? { current }

    /// Runs a job at once, on the writer's thread, outside of a transaction.
    func runNow(_ job: WriteJob) { run([job]) { _ in } }

    private func loop() {
        var clock = clockid_t()
        if pthread_getcpuclockid(pthread_self(), &clock) == 0 { self.clock.store(clock, ordering: .relaxed) }
        var idleTime = Writer.idleTime
        while true {
            let (jobs, isOver) = nextJobs(idleTime: idleTime)
            if !jobs.isEmpty {
                idleTime = Writer.idleTime
                run(jobs) { done in monitor.withLock { queued -= done } }
                checkpointIfDue()
                if limits.checkpoints, statistics.refreshIfDue(connection) { onNewStatistics() }
            } else if isOver {
                if closesAtEnd { closeConnection() }
                return
            } else {
                onIdle()
                connection.releaseMemory()
                if state.pointee.isLogDirty, emptyLog() {
                    idleTime = Writer.idleTime
                } else {
                    idleTime = min(idleTime * 2, Writer.idleTimeLimit)
                }
            }
        }
    }

    /// Waits for jobs; returns none when it is time for the idle work or to stop.
    private func nextJobs(idleTime: UInt64) -> (jobs: [WriteJob], isOver: Bool) {
        monitor.withLock {
            let wakeUp = monotonicNanoseconds() + idleTime
            while queue.isEmpty, !isStopping {
                if !monitor.wait(until: wakeUp), queue.isEmpty { return ([], isStopping) }
            }
            let jobs = queue
            queue = []
            return (jobs, isStopping)
        }
    }

    /// - Parameter report: told how many more are done.
    private func run(_ jobs: [WriteJob], _ report: (Int) -> Void) {
        var next = 0
        while next < jobs.count {
            let first = next
            if jobs[next].runsAlone {
                runAlone(jobs[next])
                next += 1
            } else {
                next = runBatch(jobs, from: next)
            }
            report(next - first)
        }
    }

    private func runAlone(_ job: WriteJob) {
        guard case .alone(let body)? = job.work else { return }
        var failure: (any Error)?
        do {
            state.pointee.isLogDirty = true
            try body(connection)
        } catch let error {
            failure = error
        }
        connection.endLoan()
        job.finish(failure)
    }

    /// Runs one transaction's worth of jobs and returns the place of the first job left.
    private func runBatch(_ jobs: [WriteJob], from first: Int) -> Int {
        var end = first + 1
        while end < jobs.count, end - first < limits.batchSize, !jobs[end].runsAlone { end += 1 }
        let isShared = end - first > 1
        do {
            try connection.run("BEGIN IMMEDIATE")
        } catch {
            for job in jobs[first..<end] { job.finish(error) }
            return end
        }
        state.pointee.allowsCommit = false
        let started = isShared ? monotonicNanoseconds() : 0
        var next = first
        var isLost = false
        while next < end, !isLost {
            runInTransaction(jobs[next], inSavepoint: isShared)
            next += 1
            isLost = !connection.isInTransaction || jobs[next - 1].transaction?.isBroken == true
            if isShared, monotonicNanoseconds() - started > limits.batchTime { break }
        }
        let batch = jobs[first..<next]
        let failure: (any Error)?
        if isLost {
            // The job that ran last lost it; those after it have not run and are not concerned.
            let cause = batch.last?.failure
            if let last = batch.last, last.failure == nil { last.failure = StoreError.transactionLost(because: nil) }
            failure = StoreError.transactionLost(because: cause)
            _ = endTransaction(commit: false)
        } else {
            failure = endTransaction(commit: isShared || batch.first?.failure == nil)
        }
        state.pointee.allowsCommit = true
        connection.endLoan()
        finish(batch, failure)
        return next
    }

    /// Commits or rolls back, and returns why the commit failed.
    private func endTransaction(commit: Bool) -> (any Error)? {
        var failure: (any Error)?
        if commit {
            state.pointee.allowsCommit = true
            do {
                try connection.run("COMMIT")
            } catch let error {
                failure = error
            }
        }
        if connection.isInTransaction {
            // A rollback that fails leaves nothing to do: the next BEGIN fails and says so.
            _ = try? connection.run("ROLLBACK")
        }
        return failure
    }

    private func runInTransaction(_ job: WriteJob, inSavepoint: Bool) {
        guard case .transaction(let body)? = job.work else { return }
        let transaction = Transaction(connection)
        job.beginAttempt(transaction)
        current = transaction
        defer { current = nil }
        do {
            if inSavepoint { try connection.run("SAVEPOINT _roost_job") }
            do {
                try body(transaction)
                try checkDeferredForeignKeys()
                if inSavepoint, connection.isInTransaction { try connection.run("RELEASE _roost_job") }
            } catch {
                if inSavepoint, connection.isInTransaction {
                    transaction.undo("_roost_job")
                }
                throw error
            }
        } catch {
            job.failure = error
        }
    }

    /// A deferred foreign key is checked at the commit, where it would fail all jobs: find the one that broke it.
    private func checkDeferredForeignKeys() throws(StoreError) {
        var unresolved: Int32 = 0
        var highest: Int32 = 0
        sqlite3_db_status(connection.handle, SQLITE_DBSTATUS_DEFERRED_FKS, &unresolved, &highest, 0)
        if unresolved != 0 {
            throw StoreError(code: SQLITE_CONSTRAINT | 3 << 8, message: "FOREIGN KEY constraint failed")
        }
    }

    /// Reports the jobs of a transaction that has ended.
    ///
    /// - Parameter failure: why it did not commit; nil if it did.
    private func finish(_ batch: ArraySlice<WriteJob>, _ failure: (any Error)?) {
        var again: [WriteJob] = []
        for job in batch {
            if let own = job.failure {
                job.finish(own)
            } else if let failure {
                if batch.count > 1, job.mayRetry {
                    job.transaction?.end(committed: false)
                    again.append(job)
                } else {
                    job.finish(failure)
                }
            } else {
                job.finish(nil)
            }
        }
        // Each alone, so that the one that cannot be committed fails alone.
        for job in again { _ = runBatch([job], from: 0) }
    }

    // MARK: The log

    private func checkpointIfDue() {
        guard limits.checkpoints, state.pointee.holds == 0, state.pointee.logPages >= state.pointee.checkpointAt
        else { return }
        sqlite3_wal_checkpoint_v2(connection.handle, nil, SQLITE_CHECKPOINT_PASSIVE, nil, nil)
        // If readers hold the log up it keeps growing: try again only after as much again.
        state.pointee.checkpointAt = state.pointee.logPages + state.pointee.checkpointInterval
    }

    /// Copies the log into the database and truncates it, if no reader is in the way; false if one is.
    @discardableResult
    private func emptyLog() -> Bool {
        guard limits.checkpoints, state.pointee.holds == 0 else { return true }
        connection.setBusyTimeout(0)
        defer { connection.setBusyTimeout(Database.busyTimeout) }
        let code = sqlite3_wal_checkpoint_v2(connection.handle, nil, SQLITE_CHECKPOINT_TRUNCATE, nil, nil)
        if code == SQLITE_OK {
            state.pointee.isLogDirty = false
            state.pointee.logPages = 0
            state.pointee.checkpointAt = state.pointee.checkpointInterval
        }
        return code == SQLITE_OK
    }

    /// Empties the log now; on the writer's thread, between transactions.
    func emptyLogNow() { emptyLog() }

    /// Brings the database's file up to the last commit and keeps the log from being copied into it until `release`. On
    /// the writer's thread, between transactions.
    ///
    /// - Returns: the size of the file's content in bytes; nil when a reader of an older state is in the way.
    func hold() throws -> Int64? {
        guard limits.checkpoints else { throw StoreError.misuse("another process copies the log of this database") }
        if state.pointee.holds == 0 {
            var logged: Int32 = 0
            var copied: Int32 = 0
            let code = sqlite3_wal_checkpoint_v2(
                connection.handle, nil, SQLITE_CHECKPOINT_PASSIVE, &logged, &copied)
            if code == SQLITE_BUSY { return nil }
            guard code == SQLITE_OK else { throw connection.error(code, sql: nil) }
            guard logged == copied else { return nil }
        } else {
            // Somebody has it held at an older commit.
            return nil
        }
        let pages = try connection.scalar("PRAGMA page_count")?.intValue ?? 0
        let size = pages * (try connection.scalar("PRAGMA page_size")?.intValue ?? 0)
        state.pointee.holds += 1
        return size
    }

    /// Ends what `hold` began. On the writer's thread.
    func release() {
        state.pointee.holds -= 1
        state.pointee.checkpointAt = min(state.pointee.checkpointAt, state.pointee.checkpointInterval)
    }

    /// Empties the log for the last time and closes the connection. Called when no job runs any more.
    func closeConnection() {
        if emptyLog(), limits.checkpoints { _ = roost_sqlite_keep_log_on_close(connection.handle, 0) }
        connection.close()
    }
}
