import Glibc
import JSON
package import Store
import Synchronization

/// Keeps the files of a data folder in step with its records.
///
/// New files are in place before the commit that names them (``Uploads``). Files that a commit lets go of are named, in
/// that very transaction, in the table `_roost_file_removals`, and removed after it; what a crash left there is removed
/// by the next start.
package final class FileKeeper: Sendable {
    package let storages: FileStorages
    /// Threads for what waits for a storage elsewhere, so that a slow one holds up nothing else.
    package let transfers = WorkerPool(maxThreads: 64)
    private let claims = FolderClaims()
    private let uploadsFolder: String
    private let isServing = Atomic<Bool>(false)
    private let isTableMade = Atomic<Bool>(false)
    private let gate = RemovalGate()
    private let run: @Sendable (@escaping @Sendable () -> Void) -> Void
    private let database: Database
    private let warn: @Sendable (String, any Error) -> Void

    private struct Leftovers {
        /// Folders of requests whose files are to be removed from a storage elsewhere.
        var folders: [String] = []
        /// When that was tried last, of the monotonic clock.
        var last: UInt64 = 0
        var isRunning = false
    }
    private let leftovers = Mutex(Leftovers())
    /// Whether the table may name files that a storage elsewhere did not remove.
    private let removalsAreLeft = Atomic<Bool>(false)
    private let schemaForSweep = Mutex<(@Sendable () -> Schema)?>(nil)

    private static let table = "_roost_file_removals"

    /// - Parameters:
    ///   - run: runs a job on a worker thread.
    init(
        dataDirectory: String, database: Database, settings: SettingsStore,
        run: @escaping @Sendable (@escaping @Sendable () -> Void) -> Void,
        warn: @escaping @Sendable (String, any Error) -> Void
    ) {
        storages = FileStorages(dataDirectory: dataDirectory, settings: settings, warn: warn)
        uploadsFolder = dataDirectory + "/_roost_uploads"
        self.database = database
        self.run = run
        self.warn = warn
    }

    /// Whether a plugin gives the files out again; without one, uploads are refused.
    package var acceptsUploads: Bool {
        get { isServing.load(ordering: .relaxed) }
        set { isServing.store(newValue, ordering: .relaxed) }
    }

    /// Where the files of records are kept, as the settings say now.
    package var storage: any FileStorage { storages[.records] }

    /// Room for the files of a request.
    package func begin() -> Uploads {
        retryLeftovers()
        let name = RandomText.make(20, from: RandomText.lowercase)
        return Uploads(
            storage: storage, folder: "\(uploadsFolder)/\(name)", transfers: transfers, claims: claims,
            gate: gate,
            log: { [weak self] what, error in self?.warn(what, error) },
            keep: { [weak self] in self?.keepForLater($0) })
    }

    // MARK: - With transactions

    /// Before a record is written.
    func willWrite(_ record: Record, in transaction: Transaction) throws {
        if let uploads = record.uploads {
            transaction.afterCommit { uploads.settle(record, committed: true) }
            transaction.afterRollback { uploads.settle(record, committed: false) }
            try uploads.place(for: record)
        }
        guard let original = record.original else { return }
        let changed = record.collection.fields.indices.filter {
            record.collection.fields[$0].shape.isFile && original[$0] != record.values[$0]
        }
        // Another request may have changed the record since this one read it: what goes is what is there now, and a
        // name that went meanwhile does not come back.
        guard !changed.isEmpty,
            let current = try transaction.connection.record(
                id: original[record.collection.index(of: "id") ?? 0].textValue ?? "", in: record.collection)
        else { return }
        let arrived = Set(record.uploads?.files.map(\.name) ?? [])
        var removed: [String] = []
        for index in changed {
            let there = current.values[index].strings
            let wanted = record.values[index].strings
            let left = wanted.filter { arrived.contains($0) || there.contains($0) }
            if left.count < wanted.count {
                record.values[index] = record.collection.fields[index].instance.normalise(
                    Value(.array(left.map { .string($0) })))
            }
            let kept = Set(left)
            removed += there.filter { !kept.contains($0) && Self.isPlain($0) }
        }
        if !removed.isEmpty {
            try remove(removed.map { "\(record.collection.id)/\(record.id)/\($0)" }, in: transaction)
        }
    }

    /// After a record was deleted.
    func didDelete(_ record: Record, in transaction: Transaction) throws {
        let key = "\(record.collection.id)/\(record.id)"
        guard Self.isPlain(record.id) else { return }
        let names = zip(record.collection.fields, record.values).flatMap { $0.shape.isFile ? $1.strings : [] }
        if storages.isElsewhere(.records) {
            // What is there is not asked for inside a transaction.
            guard !names.isEmpty else { return }
        } else {
            guard let path = storages.local.path(key), access(path, F_OK) == 0 else { return }
        }
        // Its files by their names, which no later record of this id has, and the rest when there is none.
        try remove(names.filter(Self.isPlain).map { "\(key)/\($0)" } + [key + "/"], in: transaction)
    }

    /// After a collection was deleted.
    package func didDelete(_ collection: Collection, in transaction: Transaction) throws {
        if storages.isElsewhere(.records) {
            guard collection.fields.contains(where: \.shape.isFile), !collection.isView else { return }
        } else {
            guard let path = storages.local.path(collection.id), access(path, F_OK) == 0 else { return }
        }
        try remove([collection.id + "/"], in: transaction)
    }

    /// Whether a name of a record is one of a file in its folder.
    private static func isPlain(_ name: String) -> Bool {
        !name.isEmpty && !name.utf8.contains { $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: "\\") || $0 == 0 }
    }

    private func remove(_ keys: [String], in transaction: Transaction) throws {
        let connection = transaction.connection
        if !isTableMade.load(ordering: .relaxed) {
            try connection.execute(
                "CREATE TABLE IF NOT EXISTS `\(Self.table)` (`key` TEXT PRIMARY KEY NOT NULL) WITHOUT ROWID")
            transaction.afterCommit { [self] in isTableMade.store(true, ordering: .relaxed) }
        }
        for key in keys {
            try connection.run("INSERT OR IGNORE INTO `\(Self.table)` (`key`) VALUES (?)", [.text(key)])
        }
        transaction.afterCommit { [self] in runRemoval { [self] in removeNow(keys) } }
    }

    private func runRemoval(_ job: @escaping @Sendable () -> Void) {
        guard storages.isElsewhere(.records) else { return run(job) }
        if !transfers.run(job) {
            warn("Files are removed at the next start.", FileError.failed("Too much waits for the file storage."))
        }
    }

    /// Runs a body while files that commits let go of stay in the storage: they are removed afterwards.
    package func holdingRemovals<T>(_ body: () throws -> T) rethrows -> T {
        gate.hold()
        defer {
            gate.release()
            if let left = try? removalsLeft(), !left.isEmpty { removeNow(left) }
            retryLeftovers(atOnce: true)
        }
        return try body()
    }

    /// Removes what a record or a collection left, unless one of its name is there again.
    private func removeFolder(_ key: String, _ storage: any FileStorage) throws {
        let parts = key.split(separator: "/").map(String.init)
        // The database is asked, which knows more than the collections in force do in the moment of a change.
        func isInUse() throws -> Bool {
            try database.read { connection in
                let sql = "SELECT `name` FROM `_collections` WHERE `id` = ?"
                guard let name = try connection.scalar(sql, [.text(parts[0])])?.textValue else { return false }
                if parts.count < 2 { return true }
                return try connection.scalar(
                    "SELECT 1 FROM \(SQLName.quote(name)) WHERE `id` = ?", [.text(parts[1])]) != nil
            }
        }
        if try claims.leave(key, isInUse: isInUse, { try storage.remove(key) }) || parts.count > 1 { return }
        // A collection of that name was made again, or is being written to: what no record has goes.
        guard !storage.isElsewhere, let path = storages.local.path(parts[0]) else { return }
        for name in FileSystem.names(in: path) { try removeFolder("\(parts[0])/\(name)/", storage) }
    }

    private func removeNow(_ keys: [String]) {
        // The table names them; whoever holds them has them removed.
        var done: [String] = []
        _ = gate.remove { done = removeAll(keys) }
        if done.isEmpty { return }
        let removed = done
        do {
            try database.writeAndWait { transaction in
                for key in removed {
                    try transaction.connection.run("DELETE FROM `\(Self.table)` WHERE `key` = ?", [.text(key)])
                }
            }
        } catch {
            warn("What was removed could not be noted.", error)
        }
    }

    /// Removes what it can of some keys, and says which that is.
    private func removeAll(_ keys: [String]) -> [String] {
        var done: [String] = []
        let storage = storage
        for key in keys {
            do {
                if key.utf8.last == UInt8(ascii: "/") {
                    try removeFolder(key, storage)
                } else {
                    try storage.remove(key)
                }
                done.append(key)
            } catch {
                warn("A file could not be removed; this is tried again later.", error)
                if storage.isElsewhere { removalsAreLeft.store(true, ordering: .relaxed) }
            }
        }
        return done
    }

    // MARK: - At the start

    /// Finishes what an earlier process could not: removes uploads that no record names, and files that were let go of.
    /// Only for the process that has the folder, and before it takes uploads. What lies elsewhere is cleared away in the
    /// background, so that a storage that does not answer holds up no start.
    package func sweep(_ schema: @escaping @Sendable () -> Schema) throws {
        schemaForSweep.withLock { $0 = schema }
        let folders = FileSystem.names(in: uploadsFolder).map { "\(uploadsFolder)/\($0)" }
        guard storages.isElsewhere(.records) else {
            for folder in folders { try sweep(folder, schema()) }
            let left = try removalsLeft()
            if !left.isEmpty { removeNow(left) }
            return
        }
        leftovers.withLock { $0.folders = folders }
        removalsAreLeft.store(true, ordering: .relaxed)
        retryLeftovers(atOnce: true)
    }

    /// Clears the folder of a request away, with the files that it brought into the storage and that no record names.
    private func sweep(_ folder: String, _ schema: Schema) throws {
        if let journal = FileSystem.read("\(folder)/\(Uploads.journal)", limit: 16 << 20),
            let keys = (try? JSONParser.parse(journal))?.arrayValue
        {
            let storage = storage
            for key in keys.compactMap(\.stringValue) where try !isNamed(key, schema) {
                try storage.removeUnfinished(key)
                // The settings may have been others then.
                if storage.isElsewhere { try storages.local.remove(key) }
            }
        }
        try FileSystem.removeTree(folder)
    }

    private func removalsLeft() throws -> [String] {
        try database.read { connection -> [String] in
            let exists = try connection.scalar("SELECT 1 FROM sqlite_master WHERE name = ?", [.text(Self.table)])
            guard exists != nil else { return [] }
            return try connection.rows("SELECT `key` FROM `\(Self.table)`").compactMap { $0.first?.textValue }
        }
    }

    // MARK: - Later

    /// Keeps the folder of a request whose files could not be removed from a storage elsewhere.
    private func keepForLater(_ folder: String) { leftovers.withLock { $0.folders.append(folder) } }

    /// Tries again, in the background and once a minute at most, what a storage elsewhere did not do.
    private func retryLeftovers(atOnce: Bool = false) {
        let folders = leftovers.withLock { state -> [String]? in
            let hasWork = !state.folders.isEmpty || removalsAreLeft.load(ordering: .relaxed)
            let now = Timestamp.monotonic()
            guard hasWork, !state.isRunning, atOnce || now > state.last + 60_000_000_000 else { return nil }
            state.last = now
            state.isRunning = true
            defer { state.folders = [] }
            return state.folders
        }
        guard let folders else { return }
        let isTaken = transfers.run { [self] in
            defer { leftovers.withLock { $0.isRunning = false } }
            guard let schema = schemaForSweep.withLock({ $0 })?() else { return }
            for (index, folder) in folders.enumerated() {
                do {
                    // Whoever holds the files sweeps when that is over.
                    guard try gate.remove({ try sweep(folder, schema) }) != nil else {
                        return leftovers.withLock { $0.folders += folders[index...] }
                    }
                } catch {
                    warn("What an upload left could not be removed; this is tried again later.", error)
                    return leftovers.withLock { $0.folders += folders[index...] }
                }
            }
            guard removalsAreLeft.exchange(false, ordering: .relaxed) else { return }
            do {
                let left = try removalsLeft()
                if !left.isEmpty { removeNow(left) }
            } catch { warn("What is to be removed could not be read.", error) }
        }
        if !isTaken {
            leftovers.withLock { state in
                state.folders += folders
                state.isRunning = false
            }
        }
    }

    /// Whether a record names the file of a key.
    private func isNamed(_ key: String, _ schema: Schema) throws -> Bool {
        let parts = key.split(separator: "/", maxSplits: 2).map(String.init)
        guard parts.count == 3, let collection = schema.collection(parts[0]), !collection.isView,
            let record = try database.read({ try $0.record(id: parts[1], in: collection) })
        else { return false }
        return zip(collection.fields, record.values).contains { $0.shape.isFile && $1.strings.contains(parts[2]) }
    }
}
