package import Store
import Glibc
package import JSON
import Synchronization

/// The data folder at work: both databases, the collections, the hooks, and the threads around them. One for a process.
package final class Engine: Sendable {
    package struct Configuration: Sendable {
        /// The data folder, e.g. `pb_data`.
        package var dataDirectory: String
        /// 32 bytes with which the settings are encrypted; nil for plain ones.
        package var encryptionKey: String?
        /// Seconds a query may take.
        package var queryTimeout: Int
        /// Shows log lines and SQL to whoever develops.
        package var printer: LogPrinter?
        /// Whether this process copies the write-ahead logs into the databases; false beside a server on the folder.
        package var checkpoints = true
        /// Where a file is written for each change of a collection by a request; nil for none.
        package var automigrations: String?
        /// Threads for hooks, password hashes and slow reads.
        package var workerThreads: Int
        /// See ``SchemaEnvironment/authMethodFailures``.
        package var authMethodFailures: @Sendable (String, JSONObject) -> [String: FailureTree]? = { _, _ in nil }

        package init(
            dataDirectory: String, encryptionKey: String? = nil, queryTimeout: Int = 30, workerThreads: Int = 16
        ) {
            self.dataDirectory = dataDirectory
            self.encryptionKey = encryptionKey
            self.queryTimeout = queryTimeout
            self.workerThreads = workerThreads
        }
    }

    package let configuration: Configuration
    package let data: Database
    package let auxiliary: Database
    package let fieldTypes: FieldTypeRegistry
    package let hooks: HookRegistry
    package let plans = PlanCache()
    package let workers: WorkerPool
    package let files: FileKeeper
    package let settings: SettingsStore
    package let logs: LogWriter
    package let crons: CronScheduler
    package let alerts: Alerts
    package let backups: BackupService
    package let limiter = RateLimiter()
    /// Writes migrations of what requests change; nil when the operator wants none.
    package let automigration: Automigration?
    private let current: Mutex<Schema>
    private let lock: DirectoryLock?
    private let watch = OtherWriters()
    private let schemaListeners = Mutex<[@Sendable () -> Void]>([])

    /// Opens a data folder, or makes a new one.
    /// - Parameters:
    ///   - fieldTypes: the kinds of fields that the plugins brought.
    ///   - hooks: who takes part in which event.
    ///   - lock: the right to the folder, held as long as the engine lives.
    /// - Throws: a sentence for the operator when the folder cannot be used; then nothing in it was changed.
    package init(
        configuration: Configuration, fieldTypes: FieldTypeRegistry, hooks: HookRegistry, lock: DirectoryLock?
    ) throws {
        self.configuration = configuration
        self.fieldTypes = fieldTypes
        self.hooks = hooks
        self.lock = lock
        automigration = configuration.automigrations.map { Automigration(folder: $0) }
        let (data, auxiliary) = try Self.open(configuration, fieldTypes)
        let settings = SettingsStore()
        let isStored = try data.read { try settings.load($0, encryptionKey: configuration.encryptionKey) }
        if !isStored { try data.writeAndWait { try settings.save(.defaults, in: $0) } }
        let schema = try data.read { try SchemaLoader(types: fieldTypes).load($0, version: 1) }
        self.data = data
        self.auxiliary = auxiliary
        self.settings = settings
        current = Mutex(schema)
        workers = WorkerPool(maxThreads: configuration.workerThreads)
        logs = try LogWriter(
            database: auxiliary, options: settings.current.logs.writerOptions, spools: lock != nil,
            printer: configuration.printer)
        crons = CronScheduler { [logs] in logs.write($0, $1, $2) }
        alerts = Alerts { [logs] in logs.write($0, $1, $2) }
        files = FileKeeper(
            dataDirectory: configuration.dataDirectory, database: data, settings: settings,
            run: { [workers] job in if !workers.run(job) { job() } },
            warn: { [logs] message, error in logs.write(.warn, message, ["error": .string("\(error)")]) })
        let box = WeakBox<Engine>()
        backups = BackupService(dataDirectory: configuration.dataDirectory, storages: files.storages) { box.object }
        hooks.files = files
        box.object = self
        addSystemJobs()
        hooks.changes.use(try ChangeLog(database: data, bus: hooks.changes))
        hooks.changes.refresh()
        apply(settings.current)
        settings.onChange { [weak self] in
            guard let self else { return }
            let before = logs.options
            apply($0)
            if lock != nil, logs.options != before { logs.settingsChanged() }
        }
        try watchOtherWriters()
    }

    /// Takes the plugin that reaches file storages elsewhere, and clears away what an earlier process left of its
    /// uploads. Before anything is served.
    package func useFileStorage(_ driver: (any FileStorageDriver)?) throws {
        files.storages.driver = driver
        files.storages.check()
        settings.onChange { [weak self] _ in self?.files.storages.check() }
        if lock != nil {
            try files.sweep { [weak self, schema] in self?.schema ?? schema }
            try automigration?.recover(data)
        }
    }

    private static func open(
        _ configuration: Configuration, _ fieldTypes: FieldTypeRegistry
    ) throws -> (data: Database, auxiliary: Database) {
        var options = Database.Configuration()
        options.checkpoints = configuration.checkpoints
        let printer = configuration.printer
        options.prepareConnection = { connection in
            try FieldQueries.addFunctions(to: connection)
            if let printer { connection.trace { printer.print(sql: $0, nanoseconds: $1) } }
        }
        options.queryTimeout = UInt64(max(configuration.queryTimeout, 1)) * 1_000_000_000
        // Reads on workers are those that take long; more of them than twice the processors only slow each other.
        options.maxReaders = min(8, max(4, 2 * sysconf(Int32(_SC_NPROCESSORS_ONLN))))
        let data = try Database(path: configuration.dataDirectory + "/data.db", configuration: options)
        var small = options
        // No fields of plugins there; and writing the log would be shown, and that again.
        small.prepareConnection = nil
        small.maxReaders = 4
        small.idleReaders = 1
        // Lines of the log change pages all over the index of their messages. Under load, these are to be changed in
        // memory and copied once for many lines; without it, neither memory nor log grows that large.
        small.writerCacheKiB = 4_000
        small.checkpointPages = 8_000
        small.readerCacheKiB = 2_000
        // Request logs may lose their last seconds in a power cut; records may not.
        small.synchronous = .normal
        let auxiliary = try Database(path: configuration.dataDirectory + "/auxiliary.db", configuration: small)
        let bootstrap = Bootstrap(SchemaEnvironment(types: fieldTypes))
        if try data.read(bootstrap.needsWork) {
            try data.writeAndWait { try bootstrap.prepareData($0.connection) }
        }
        try auxiliary.writeAndWait { try bootstrap.prepareAuxiliary($0.connection) }
        return (data, auxiliary)
    }

    private func apply(_ settings: Settings) {
        logs.options = settings.logs.writerOptions
        limiter.configure(settings.rateLimits)
        scheduleBackups(settings.backups)
    }

    /// The collections as they are committed now.
    package var schema: Schema { current.withLock { $0 } }

    /// What changing collections needs of the engine.
    package var schemaEnvironment: SchemaEnvironment {
        SchemaEnvironment(
            types: fieldTypes, queryTimeout: data.configuration.queryTimeout ?? 30_000_000_000,
            ruleError: { rule, collection, schema in
                do throws(QueryError) {
                    try RecordQuery.validate(rule: rule, of: collection, schema: schema)
                    return nil
                } catch { return error.reason }
            },
            authMethodFailures: configuration.authMethodFailures,
            warn: { [logs] message, error in logs.write(.warn, message, ["error": .string(error)]) })
    }

    /// The operations on collections inside a transaction; what it makes of them is in force after the commit.
    package func changeCollections<T>(
        in transaction: Transaction, _ body: (inout CollectionStore) throws -> T
    ) throws -> T {
        // Read from the transaction: an earlier job of the same commit may have changed them already.
        let schema = try SchemaLoader(types: fieldTypes).load(transaction.connection, version: schema.version)
        var store = CollectionStore(schemaEnvironment, schema: schema, connection: transaction.connection)
        let result = try body(&store)
        let changed = store.schema
        for gone in schema.collections where changed.collection(id: gone.id) == nil {
            try files.didDelete(gone, in: transaction)
        }
        try renameInSettings(from: schema, to: changed, in: transaction)
        transaction.afterCommit { self.put(changed) }
        return result
    }

    /// Has limits that name a collection go with its name.
    private func renameInSettings(from old: Schema, to new: Schema, in transaction: Transaction) throws {
        var settings = self.settings.current
        var isChanged = false
        for collection in new.collections {
            guard let before = old.collection(id: collection.id), before.name != collection.name else { continue }
            if settings.renameCollection(before.name, to: collection.name) { isChanged = true }
        }
        if isChanged { try self.settings.save(settings, in: transaction) }
    }

    /// Has the collections as a transaction leaves them be in force after its commit, whoever changed them.
    package func readCollections(in transaction: Transaction) throws {
        let schema = try SchemaLoader(types: fieldTypes).load(transaction.connection, version: schema.version)
        transaction.afterCommit { self.put(schema) }
    }

    /// Has an action run each time that other collections are in force. On the thread that changed them; it must return
    /// quickly.
    package func onSchemaChange(_ action: @escaping @Sendable () -> Void) {
        schemaListeners.withLock { $0.append(action) }
    }

    /// Puts collections in force, under a version of their own.
    private func put(_ schema: Schema) {
        current.withLock { $0 = Schema(collections: schema.collections, version: $0.version + 1) }
        for action in schemaListeners.withLock({ $0 }) { action() }
    }

    /// Has an action run when another process (a command, PocketBase) may have written. A thread of its own.
    package func onOtherWriter(_ action: @escaping @Sendable () -> Void) { watch.subscribe(action) }

    private func watchOtherWriters() throws {
        let types = fieldTypes
        let key = configuration.encryptionKey
        try watch.start(path: data.path) { [weak self] connection in
            guard let self else { return }
            let rows = try connection.rows("SELECT `id`, `updated` FROM `_collections` ORDER BY rowid")
            let known = schema
            let isSame = rows.elementsEqual(known.collections) { row, collection in
                row[0].textValue == collection.id && row[1].textValue == collection.updated
            }
            if !isSame { put(try SchemaLoader(types: types).load(connection, version: known.version)) }
            let stored = SettingsStore()
            if try stored.load(connection, encryptionKey: key), stored.current != settings.current {
                try settings.load(connection, encryptionKey: key)
            }
        }
    }

    /// Ends the threads and closes both databases; what was acknowledged is on the disk already.
    package func close() {
        backups.stop()
        crons.stop()
        alerts.stop()
        watch.stop()
        hooks.changes.feed?.stop()
        workers.stop()
        files.transfers.stop()
        logs.stop()
        data.close()
        auxiliary.close()
    }
}
