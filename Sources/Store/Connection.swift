internal import CSQLite
internal import CStore

/// One SQLite connection with its cache of prepared statements.
///
/// A connection is opened without SQLite's mutexes and used by one thread at a time; `Database` lends them out so.
/// Parameters are numbered from 1 as in `?1`, columns from 0, both as SQLite has it.
///
/// `@unchecked Sendable`: guarded by being lent to one thread at a time, with a lock taken at each hand-over.
package final class Connection: @unchecked Sendable {
    /// What may be done through a connection.
    package enum Access: Sendable, Equatable {
        case readOnly
        case readWrite(create: Bool)
        /// Reads a file that nobody writes: no locks, no side files.
        case immutable
    }

    /// Settings of one connection.
    package struct Configuration: Sendable {
        /// How long to wait for another process's lock, in milliseconds.
        package var busyTimeout: Int32 = 10_000
        /// The largest size of the page cache, in KiB.
        package var cacheKiB = 4_000
        /// How many statements are kept prepared.
        package var statementCacheSize = 256

        package init() {}
    }

    /// The file.
    package let path: String

    /// For whoever wants to keep something as long as the connection lives, such as caches of the engine.
    package var userData: AnyObject?

    /// Which of the pool's generations it belongs to.
    var generation = 0
    /// Whether it has read anything of the file (see `contentVersion`).
    var hasRead = false

    let handle: OpaquePointer
    let progress: UnsafeMutablePointer<ProgressState>
    private var cacheKiB: Int
    private let counter: UnsafeMutablePointer<Int64>
    private var cache: StatementCache
    private var sorting: [String: Bool] = [:]
    private var currentInterrupt: InterruptHandle?
    private var isClosed = false

    /// The version of SQLite.
    package static var libraryVersion: String { String(cString: sqlite3_libversion()) }

    /// Done before the first connection of the process.
    private static let libraryConfiguration: Void = {
        _ = roost_sqlite_leave_out_statistics()
        _ = roost_set_up_page_cache()
    }()

    /// Opens a connection.
    ///
    /// - Throws: what SQLite answers; nothing is left open.
    package init(
        path: String, access: Access, configuration: Configuration = Configuration()
    ) throws(StoreError) {
        _ = Connection.libraryConfiguration
        var flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE | SQLITE_OPEN_EXRESCODE
        var name = path
        switch access {
        case .readOnly:
            flags |= SQLITE_OPEN_READONLY
        case .readWrite(let create):
            flags |= SQLITE_OPEN_READWRITE
            if create { flags |= SQLITE_OPEN_CREATE }
        case .immutable:
            flags |= SQLITE_OPEN_READONLY | SQLITE_OPEN_URI
            name = Connection.immutableURI(path)
        }
        var opened: OpaquePointer?
        let code = sqlite3_open_v2(name, &opened, flags, nil)
        guard code == SQLITE_OK, let opened else {
            let message = opened.map { String(cString: sqlite3_errmsg($0)) } ?? String(cString: sqlite3_errstr(code))
            sqlite3_close_v2(opened)
            throw StoreError(code: code, message: "\(path): \(message)")
        }
        self.path = path
        handle = opened
        progress = .allocate(capacity: 1)
        progress.initialize(to: ProgressState())
        counter = .allocate(capacity: 1)
        counter.initialize(to: 0)
        cacheKiB = configuration.cacheKiB
        cache = StatementCache(capacity: configuration.statementCacheSize)
        sqlite3_extended_result_codes(opened, 1)
        // A connection that fails before it has seen the log would copy nothing of it and remove it when it is closed.
        // The writer alone may, when it has copied all.
        _ = roost_sqlite_keep_log_on_close(opened, 1)
        sqlite3_busy_timeout(opened, configuration.busyTimeout)
        // PocketBase's data has double-quoted strings in its schema, so their meaning must not hang on the build.
        roost_sqlite_set_dqs(opened, 1)
        try execute(
            """
            PRAGMA foreign_keys = ON;
            PRAGMA temp_store = MEMORY;
            PRAGMA cache_size = -\(configuration.cacheKiB);
            PRAGMA mmap_size = 0;
            """)
        let functions = roost_add_functions(opened, counter)
        guard functions == SQLITE_OK else { throw error(functions, sql: nil) }
    }

    deinit {
        close()
        progress.deinitialize(count: 1)
        progress.deallocate()
        counter.deinitialize(count: 1)
        counter.deallocate()
    }

    /// Closes the connection; preparing or running anything on it fails from then on. Calling it again does nothing.
    package func close() {
        guard !isClosed else { return }
        isClosed = true
        currentInterrupt?.end()
        cache.removeAll()
        userData = nil
        // Deferred by SQLite until statements still held elsewhere are finalised.
        sqlite3_close_v2(handle)
    }

    private static func immutableURI(_ path: String) -> String {
        var uri = "file:"
        let hex = Array("0123456789ABCDEF")
        for byte in path.utf8 {
            switch byte {
            case 0x2F, 0x2D, 0x2E, 0x5F, 0x30...0x39, 0x41...0x5A, 0x61...0x7A:
                uri.unicodeScalars.append(Unicode.Scalar(byte))
            default:
                uri += "%\(hex[Int(byte >> 4)])\(hex[Int(byte & 0xF)])"
            }
        }
        return uri + "?immutable=1"
    }

    // MARK: Statements

    /// Prepares a statement or takes it from the cache. Give it back with `finish()`, or use ``withStatement(_:_:)``.
    ///
    /// - Parameters:
    ///   - sql: exactly one statement.
    ///   - cached: whether to keep it prepared afterwards; false for statements that will hardly come again.
    package func prepare(_ sql: String, cached: Bool = true) throws(StoreError) -> Statement {
        if isClosed { throw StoreError.closed }
        if let statement = cache.take(sql) { return statement }
        let (compiled, rest) = try compile(sql, persistent: cached)
        guard let compiled else { throw StoreError.misuse("no statement", sql: sql) }
        if let rest {
            let (second, _) = try compile(rest, persistent: false)
            if second != nil {
                sqlite3_finalize(second)
                sqlite3_finalize(compiled)
                throw StoreError.misuse("more than one statement", sql: sql)
            }
        }
        let statement = Statement(compiled, sql: sql, connection: self)
        if cached { cache.add(statement) }
        return statement
    }

    /// Compiles the first statement of a text; the rest of the text is nil when nothing but space follows.
    private func compile(_ sql: String, persistent: Bool) throws(StoreError) -> (OpaquePointer?, rest: String?) {
        var compiled: OpaquePointer?
        var rest: String?
        var sql = sql
        let code = sql.withUTF8 { text -> Int32 in
            text.withMemoryRebound(to: CChar.self) { characters in
                guard let base = characters.baseAddress else { return SQLITE_OK }
                var tail: UnsafePointer<CChar>?
                let code = sqlite3_prepare_v3(
                    handle, base, Int32(clamping: characters.count),
                    persistent ? UInt32(SQLITE_PREPARE_PERSISTENT) : 0, &compiled, &tail)
                if let tail, tail - base < text.count {
                    let left = text[(tail - base)...]
                    if left.contains(where: { $0 > 0x20 }) {
                        rest = String(decoding: left, as: UTF8.self)
                    }
                }
                return code
            }
        }
        guard code == SQLITE_OK else { throw error(code, sql: sql) }
        return (compiled, rest)
    }

    /// Runs a body with a statement and puts it back.
    package func withStatement<T>(_ sql: String, _ body: (Statement) throws -> T) throws -> T {
        let statement = try prepare(sql)
        defer { statement.finish() }
        return try body(statement)
    }

    /// Drops all statements; those in use stay usable until they are finished.
    package func clearStatementCache() { cache.removeAll() }

    /// How many statements are kept prepared now, those in use among them.
    package var cachedStatementCount: Int { cache.count }

    // MARK: Running

    /// Runs a script of any number of statements; rows are dropped.
    package func execute(_ script: String) throws(StoreError) {
        if isClosed { throw StoreError.closed }
        let code = sqlite3_exec(handle, script, nil, nil, nil)
        if code != SQLITE_OK { throw error(code, sql: script) }
    }

    /// Runs one statement and returns how many rows it changed itself (0 for anything but INSERT, UPDATE, DELETE).
    @discardableResult
    package func run(_ sql: String, _ arguments: [SQLValue] = []) throws(StoreError) -> Int {
        let statement = try prepare(sql)
        defer { statement.finish() }
        try statement.bind(arguments)
        let before = sqlite3_total_changes64(handle)
        while try statement.step() {}
        // sqlite3_changes keeps the number of the last INSERT, UPDATE or DELETE whatever runs after it.
        return sqlite3_total_changes64(handle) == before ? 0 : Int(sqlite3_changes64(handle))
    }

    /// All rows of a query.
    package func rows(_ sql: String, _ arguments: [SQLValue] = []) throws(StoreError) -> [[SQLValue]] {
        let statement = try prepare(sql)
        defer { statement.finish() }
        try statement.bind(arguments)
        var rows: [[SQLValue]] = []
        while try statement.step() { rows.append(statement.row()) }
        return rows
    }

    /// The first row of a query; nil if it has none.
    package func firstRow(_ sql: String, _ arguments: [SQLValue] = []) throws(StoreError) -> [SQLValue]? {
        let statement = try prepare(sql)
        defer { statement.finish() }
        try statement.bind(arguments)
        return try statement.step() ? statement.row() : nil
    }

    /// The first column of the first row of a query; nil if it has no row.
    package func scalar(_ sql: String, _ arguments: [SQLValue] = []) throws(StoreError) -> SQLValue? {
        let statement = try prepare(sql)
        defer { statement.finish() }
        try statement.bind(arguments)
        guard try statement.step() else { return Optional<SQLValue>.none }
        return statement.value(0)
    }

    // MARK: State

    /// How many rows the last INSERT, UPDATE or DELETE changed.
    package var lastChanges: Int { Int(sqlite3_changes64(handle)) }

    /// The rowid of the last row inserted.
    package var lastInsertRowID: Int64 { sqlite3_last_insert_rowid(handle) }

    /// Whether a transaction is open.
    package var isInTransaction: Bool { sqlite3_get_autocommit(handle) == 0 }

    /// A number that changes when another connection has committed to the file (PRAGMA data_version).
    package var dataVersion: Int64 {
        get throws(StoreError) { try scalar("PRAGMA data_version")?.intValue ?? 0 }
    }

    /// Whether SQLite sorts all rows that a query finds, because no index gives them in its order, so that another way to
    /// ask the same is better. Not when SQLite does not take the other one, which may be too deep for its parser.
    ///
    /// - Parameters:
    ///   - sql: a query; remembered.
    ///   - alternative: the other way.
    package func sortsAllRows(_ sql: String, insteadOf alternative: String) throws(StoreError) -> Bool {
        if let known = sorting[sql] { return known }
        let statement = try prepare("EXPLAIN QUERY PLAN " + sql, cached: false)
        defer { statement.finish() }
        var sorts = false
        while try statement.step() {
            if statement.text(3) == "USE TEMP B-TREE FOR ORDER BY" { sorts = true }
        }
        if sorts, let other = try? prepare(alternative) { other.finish() } else { sorts = false }
        if sorting.count >= 1000 { sorting.removeAll() }
        sorting[sql] = sorts
        return sorts
    }

    /// How often `roost_counted()` was asked in SQL on this connection since this was set.
    package var counted: Int {
        get { Int(counter.pointee) }
        set { counter.pointee = Int64(newValue) }
    }

    /// How long to wait for another process's lock, in milliseconds.
    package func setBusyTimeout(_ milliseconds: Int32) { sqlite3_busy_timeout(handle, milliseconds) }

    /// The largest size of the page cache, in KiB; what is beyond a new one is given up at once.
    func limitCache(toKiB size: Int) {
        guard size != cacheKiB, sqlite3_exec(handle, "PRAGMA cache_size = -\(size)", nil, nil, nil) == SQLITE_OK else {
            return
        }
        cacheKiB = size
    }

    /// How many pages were not found in the cache since the connection was opened.
    package var missedPages: Int {
        var (count, highest): (CInt, CInt) = (0, 0)
        sqlite3_db_status(handle, SQLITE_DBSTATUS_CACHE_MISS, &count, &highest, 0)
        return Int(count)
    }

    /// Gives back memory of the page cache that is not needed now.
    package func releaseMemory() { sqlite3_db_release_memory(handle) }

    func error(_ code: Int32, sql: String?) -> StoreError {
        if code & 0xFF == SQLITE_INTERRUPT, let hit = progress.pointee.hit {
            let what = hit == .budgetExceeded ? "the query used up its budget" : "the query's deadline has passed"
            return StoreError(kind: hit, code: SQLITE_INTERRUPT, message: what, sql: sql)
        }
        return StoreError(code: code, message: String(cString: sqlite3_errmsg(handle)), sql: sql)
    }

    // MARK: Limits

    /// Stops the statements running now, from any thread. Whoever may be late should use ``interruptHandle()``.
    package func interrupt() { sqlite3_interrupt(handle) }

    /// A handle with which another thread can stop this loan's statements.
    package func interruptHandle() -> InterruptHandle {
        if let currentInterrupt { return currentInterrupt }
        let fresh = InterruptHandle(handle)
        currentInterrupt = fresh
        return fresh
    }

    /// Runs a body whose statements are stopped when time runs out.
    ///
    /// Nested calls only ever shorten what is left. A write that is stopped loses its whole transaction.
    ///
    /// - Parameters:
    ///   - nanoseconds: how much processor time the body may take from now on; nil for no limit.
    ///   - deadline: the time of `monotonicNanoseconds()` at which to stop; nil for none.
    /// - Throws: a `StoreError` of kind `budgetExceeded` or `deadlineExceeded`, or what the body throws.
    package func withBudget<T>(
        nanoseconds: UInt64? = nil, deadline: UInt64? = nil, _ body: () throws -> T
    ) throws -> T {
        let saved = progress.pointee
        if let nanoseconds {
            let end = threadNanoseconds().addingReportingOverflow(nanoseconds)
            progress.pointee.budgetEnd = min(saved.budgetEnd, end.overflow ? .max : end.partialValue)
        }
        if let deadline { progress.pointee.deadline = min(saved.deadline, deadline) }
        progress.pointee.hit = nil
        installProgressHandler(handle, progress)
        defer {
            progress.pointee = saved
            installProgressHandler(handle, progress)
        }
        // Code between here and the statement, such as a plugin's, may have made something else of the error.
        func stop() -> StoreError? {
            guard let hit = progress.pointee.hit else { return nil }
            return StoreError(kind: hit, code: SQLITE_INTERRUPT, message: "the time for the query is over")
        }
        let result: T
        do {
            result = try body()
        } catch {
            throw stop() ?? error
        }
        if let error = stop() { throw error }
        return result
    }

    // MARK: Tracing

    private final class Trace {
        let report: @Sendable (String, UInt64) -> Void
        init(_ report: @escaping @Sendable (String, UInt64) -> Void) { self.report = report }
    }

    private var currentTrace: Trace?

    /// Has each statement reported when it has run, with its values and the nanoseconds it took, on its thread.
    package func trace(_ report: @escaping @Sendable (_ sql: String, _ nanoseconds: UInt64) -> Void) {
        let trace = Trace(report)
        currentTrace = trace
        sqlite3_trace_v2(
            handle, UInt32(SQLITE_TRACE_PROFILE),
            { _, context, statement, time in
                guard let context, let statement, let time, let text = sqlite3_expanded_sql(OpaquePointer(statement))
                else { return 0 }
                defer { sqlite3_free(text) }
                Unmanaged<Trace>.fromOpaque(context).takeUnretainedValue().report(
                    String(cString: text), UInt64(max(0, time.assumingMemoryBound(to: Int64.self).pointee)))
                return 0
            }, Unmanaged.passUnretained(trace).toOpaque())
    }

    // MARK: Loans

    /// Ends a loan: nothing of it may be left for the next user.
    func endLoan() {
        if let interrupt = currentInterrupt {
            interrupt.end()
            currentInterrupt = nil
        }
        guard sqlite3_get_autocommit(handle) == 0 || sqlite3_txn_state(handle, nil) != SQLITE_TXN_NONE else { return }
        // A statement that was stepped and not finished would hold its snapshot, and with it the log, for ever.
        var statement = sqlite3_next_stmt(handle, nil)
        while let current = statement {
            if sqlite3_stmt_busy(current) != 0 { sqlite3_reset(current) }
            statement = sqlite3_next_stmt(handle, current)
        }
        if sqlite3_get_autocommit(handle) == 0 { sqlite3_exec(handle, "ROLLBACK", nil, nil, nil) }
    }
}
