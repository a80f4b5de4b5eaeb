internal import CSQLite
internal import Glibc
internal import Synchronization

/// One SQLite file in WAL mode: any number of readers and one writer.
///
/// For example:
///
///     let database = try Database(path: "pb_data/data.db")
///     let name = try database.read { try $0.scalar("SELECT name FROM person WHERE id = ?1", ["abc"]) }
///     try database.writeAndWait { try $0.connection.run("DELETE FROM person WHERE id = ?1", ["abc"]) }
///     database.close()
package final class Database: Sendable {
    /// When a commit counts as done.
    package enum Synchronous: String, Sendable {
        /// When it is on the disk.
        case full = "FULL"
        /// When the operating system has it: a power cut may undo the last ones.
        case normal = "NORMAL"
    }

    /// Settings of a database.
    package struct Configuration: Sendable {
        /// The most reading connections at a time, not counting those of event loops. More than the processors can
        /// use cost memory and slow each other.
        package var maxReaders = 8
        /// How many readers stay open when nothing happens.
        package var idleReaders = 2
        /// How long to wait for a reader when all are in use, in nanoseconds.
        package var readerWait: UInt64 = 10_000_000_000
        /// How long one `read` may take before its statements are stopped, in nanoseconds; nil for no limit.
        package var queryTimeout: UInt64? = 30_000_000_000
        /// When a commit counts as done.
        package var synchronous = Synchronous.full
        /// The largest page cache of the writer, in KiB.
        package var writerCacheKiB = 6_000
        /// The largest page caches of all readers together, in KiB: each has an equal part. A list that looks at a
        /// thousand scattered rows takes a third of the time when their pages fit; what is not used goes back when nothing
        /// is written. A mapping of the file instead (`PRAGMA mmap_size`) is no help unless all of it stays in memory: in
        /// virtual machines a page fault was seen to cost six times as much as a read.
        package var readerCacheKiB = 24_000
        /// How many statements each connection keeps prepared.
        package var statementCacheSize = 256
        /// The most jobs that may wait to be written.
        package var maxQueuedWrites = 100_000
        /// The most jobs of one transaction.
        package var maxBatchSize = 128
        /// How long jobs are added to a transaction, in nanoseconds: those done already wait for it.
        package var maxBatchTime: UInt64 = 20_000_000
        /// Whether this process copies the log into the database. Only one process may: SQLite before 3.51.3 can damage
        /// a file that two checkpoint at once (sqlite.org/wal.html#walresetbug).
        package var checkpoints = true
        /// Pages of the log after which it is copied into the database: the more there are, the more often a page that
        /// changes again and again is copied once for many changes.
        package var checkpointPages: Int32 = 1000
        /// The largest file in bytes that is read through for damage when it is opened.
        package var fullCheckLimit = 16 << 20
        /// Called for each connection after it was opened, for example to add functions. Any thread.
        package var prepareConnection: (@Sendable (Connection) throws -> Void)?

        package init() {}
    }

    /// How long to wait for another process's lock, in milliseconds, as PocketBase does.
    static let busyTimeout: Int32 = 10_000

    /// The file.
    package let path: String
    /// The settings it was opened with.
    package let configuration: Configuration

    private let readers: ReaderPool
    private let writer: Writer
    private let isClosed = Mutex(false)

    /// Opens a database, or makes one if the file does not exist.
    ///
    /// - Throws: a `StoreError` of kind `unusableFile` for a file that is damaged or no database, which is not touched
    ///   then; else why it cannot be opened for writing.
    package init(path: String, configuration: Configuration = Configuration()) throws {
        try DatabaseFile.check(path, fullCheckLimit: configuration.fullCheckLimit)
        self.path = path
        self.configuration = configuration

        var writerSettings = Connection.Configuration()
        writerSettings.busyTimeout = Database.busyTimeout
        writerSettings.cacheKiB = configuration.writerCacheKiB
        writerSettings.statementCacheSize = configuration.statementCacheSize
        let connection = try Connection(
            path: path, access: .readWrite(create: true), configuration: writerSettings)
        let mode = try connection.scalar("PRAGMA journal_mode = WAL")?.textValue
        guard mode == "wal" else {
            throw StoreError(code: SQLITE_READONLY, message: "\(path): the directory does not allow a write-ahead log")
        }
        // The writer's thread copies the log itself, when nobody waits for it.
        try connection.execute(
            """
            PRAGMA journal_size_limit = 200000000;
            PRAGMA wal_autocheckpoint = 0;
            PRAGMA synchronous = \(configuration.synchronous.rawValue);
            """)
        try Database.checkWritable(connection)
        try configuration.prepareConnection?(connection)

        var readerSettings = writerSettings
        readerSettings.cacheKiB = configuration.readerCacheKiB
        let readerConfiguration = readerSettings
        let pool = ReaderPool(
            limit: configuration.maxReaders, waitLimit: configuration.readerWait,
            cacheKiB: configuration.readerCacheKiB
        ) {
            let connection = try Connection(path: path, access: .readOnly, configuration: readerConfiguration)
            try configuration.prepareConnection?(connection)
            return connection
        }
        readers = pool
        let limits = Writer.Limits(
            batchSize: max(1, configuration.maxBatchSize), batchTime: configuration.maxBatchTime,
            queueLength: configuration.maxQueuedWrites, checkpoints: configuration.checkpoints,
            checkpointPages: configuration.checkpointPages)
        writer = try Writer(
            connection, limits: limits, onIdle: { pool.shrink(keeping: configuration.idleReaders) },
            onNewStatistics: { pool.renew() })
    }

    deinit { close() }

    /// A file in WAL mode opens for writing even where nothing can be written; better told now than at the first write.
    private static func checkWritable(_ connection: Connection) throws(StoreError) {
        // A file that cannot be opened for writing, be it for a moment, SQLite opens for reading, and what is begun on
        // it for writing only reads.
        guard sqlite3_db_readonly(connection.handle, "main") == 0 else {
            throw StoreError(
                code: SQLITE_READONLY, message: "\(connection.path): the file cannot be opened for writing")
        }
        try connection.execute("BEGIN IMMEDIATE; ROLLBACK")
    }

    // MARK: Reading

    /// Runs a body with a reading connection on the calling thread.
    ///
    /// - Parameters:
    ///   - snapshot: whether all statements of the body see the same state; otherwise each sees the latest.
    ///   - body: uses the connection only until it returns.
    /// - Throws: `isOverloaded` if no reader became free in time, `isDeadlineExceeded` after the query timeout,
    ///   `isClosed`, or what the body throws.
    package func read<T>(snapshot: Bool = false, _ body: (Connection) throws -> T) throws -> T {
        let connection = try readers.take()
        defer { readers.giveBack(connection) }
        let deadline = configuration.queryTimeout.map { monotonicNanoseconds() &+ $0 }
        return try connection.withBudget(deadline: deadline) {
            guard snapshot else { return try body(connection) }
            try connection.run("BEGIN")
            let result = try body(connection)
            try connection.run("COMMIT")
            return result
        }
    }

    // MARK: Writing

    /// Queues a job for the writer and returns at once.
    ///
    /// A job that throws is undone alone. One that does not may still fail: when the commit it shares fails, or another
    /// job of it hits an error for which SQLite rolls everything back (a full disk, say).
    ///
    /// - Parameters:
    ///   - retryable: whether the job may run a second time when it was undone through no fault of its own; true for
    ///     jobs that do nothing but write.
    ///   - body: runs on the writer's thread.
    ///   - completion: called exactly once, on the writer's thread after the commit; on the calling thread with
    ///     `isOverloaded` or `isClosed` if the job was not taken.
    package func write<T: Sendable>(
        retryable: Bool = false,
        _ body: @escaping @Sendable (Transaction) throws -> T,
        completion: @escaping @Sendable (Result<T, any Error>) -> Void
    ) {
        var value: T?
        let job = WriteJob(.transaction({ value = try body($0) }), isRetryable: retryable) { failure in
            if let value, failure == nil {
                completion(.success(value))
            } else {
                completion(.failure(failure ?? StoreError.transactionLost(because: nil)))
            }
        }
        do {
            try writer.enqueue(job)
        } catch {
            completion(.failure(error))
        }
    }

    /// Runs a job on the writer's thread and waits until it is committed.
    ///
    /// On the writer's thread itself it runs at once: inside a job as a savepoint of its transaction, in an action
    /// after the commit as a transaction of its own. A thread that a job waits for must not call it: pass it the
    /// transaction instead.
    ///
    /// - Throws: what the body or the commit throws, `isOverloaded`, `isClosed`.
    @discardableResult
    package func writeAndWait<T>(_ body: (Transaction) throws -> T) throws -> T {
        if writer.isCurrentThread, let transaction = writer.currentTransaction {
            return try transaction.savepoint { try body(transaction) }
        }
        return try perform {
            .transaction($0)
        } body: {
            try body($0)
        }
    }

    /// Runs a body with the writer's connection between transactions and waits for it: for VACUUM, checkpoints and
    /// pragmas that do nothing inside a transaction. Each of its statements commits by itself.
    ///
    /// - Throws: misuse inside a job; what the body throws, `isOverloaded`, `isClosed`.
    @discardableResult
    package func maintain<T>(_ body: (Connection) throws -> T) throws -> T {
        if writer.isCurrentThread, writer.currentTransaction != nil {
            throw StoreError.misuse("maintenance inside a transaction")
        }
        return try perform {
            .alone($0)
        } body: {
            try body($0)
        }
    }

    /// Empties the write-ahead log now, unless readers are in the way or the file is frozen.
    package func checkpoint() throws {
        try maintain { [writer] _ in writer.emptyLogNow() }
    }

    /// Runs a body while the database's file holds one committed state and stays as it is: writes go on in the log.
    ///
    /// No copy is made and nobody is locked out; the log grows meanwhile and is copied afterwards. On a thread that may
    /// wait, never the writer's.
    ///
    /// - Throws: `isOverloaded` when readers of older states are in the way for half a minute, or another body has the
    ///   file; what the body throws.
    package func withFrozenFile<T>(_ body: (FrozenFile) throws -> T) throws -> T {
        let connection = try Connection(path: path, access: .readOnly)
        defer { connection.close() }
        let end = monotonicNanoseconds() + 30_000_000_000
        var size: Int64?
        while size == nil {
            size = try maintain { [writer] _ in try writer.hold() }
            if size == nil {
                guard monotonicNanoseconds() < end else {
                    throw StoreError.overloaded("readers keep the log from being copied")
                }
                usleep(20_000)
            }
        }
        // However many writes wait: nothing would ever be copied out of the log again.
        defer {
            _ = try? perform(isOwed: true) {
                .alone($0)
            } body: { [writer] (_: Connection) in
                writer.release()
            }
        }
        return try body(FrozenFile(connection: connection, size: size ?? 0))
    }

    /// Processor time of the writer's thread in nanoseconds, since it was started.
    package var writerTime: UInt64 { writer.processorTime }

    /// Whether the caller runs on the writer's thread.
    package var isOnWriterThread: Bool { writer.isCurrentThread }

    /// Queues work and waits for it; on the writer's thread runs it at once.
    private func perform<T, Argument>(
        isOwed: Bool = false, _ work: (@escaping (Argument) throws -> Void) -> WriteJob.Work,
        body: (Argument) throws -> T
    ) throws -> T {
        try withoutActuallyEscaping(body) { body in
            var value: T?
            let borrowed = BorrowedBody<Argument> { value = try body($0) }
            defer { borrowed.end() }
            var failure: (any Error)?
            var isDone = false
            let done = Monitor()
            let job = WriteJob(work { try borrowed.run($0) }, isRetryable: false) { error in
                done.withLock {
                    failure = error
                    isDone = true
                    done.signal()
                }
            }
            if writer.isCurrentThread {
                writer.runNow(job)
            } else {
                try writer.enqueue(job, isOwed: isOwed)
                done.withLock { while !isDone { done.wait() } }
            }
            if let failure { throw failure }
            guard let value else { throw StoreError.transactionLost(because: nil) }
            return value
        }
    }

    /// A body that must not outlive the call it was given to, though the job that runs it may, for a moment.
    private final class BorrowedBody<Argument> {
        private var body: ((Argument) throws -> Void)?

        init(_ body: @escaping (Argument) throws -> Void) { self.body = body }

        func run(_ argument: Argument) throws { try body?(argument) }

        func end() { body = nil }
    }

    // MARK: Closing

    /// Finishes the jobs queued so far, refuses new ones, waits for the readers, empties the log and closes the file.
    /// Once is enough; calling it again does nothing.
    package func close() {
        let isFirst = isClosed.withLock { closed in
            defer { closed = true }
            return !closed
        }
        guard isFirst else { return }
        writer.stop()
        readers.close()
        // The writer's own thread has not ended yet and closes the connection when it does.
        if !writer.isCurrentThread { writer.closeConnection() }
    }
}
