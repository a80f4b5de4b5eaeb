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
    package let storage: LocalFileStorage
    private let uploadsFolder: String
    private let isServing = Atomic<Bool>(false)
    private let isTableMade = Atomic<Bool>(false)
    private let run: @Sendable (@escaping @Sendable () -> Void) -> Void
    private let database: Database
    private let warn: @Sendable (String, any Error) -> Void

    private static let table = "_roost_file_removals"

    /// - Parameters:
    ///   - run: runs a job on a worker thread.
    init(
        dataDirectory: String, database: Database, run: @escaping @Sendable (@escaping @Sendable () -> Void) -> Void,
        warn: @escaping @Sendable (String, any Error) -> Void
    ) {
        storage = LocalFileStorage(root: dataDirectory + "/storage")
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

    /// Room for the files of a request.
    package func begin() -> Uploads {
        let name = RandomText.make(20, from: RandomText.lowercase)
        return Uploads(storage: storage, folder: "\(uploadsFolder)/\(name)")
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
        guard Self.isPlain(record.id), let path = storage.path(key), access(path, F_OK) == 0 else { return }
        try remove([key + "/"], in: transaction)
    }

    /// After a collection was deleted.
    package func didDelete(_ collection: Collection, in transaction: Transaction) throws {
        guard let path = storage.path(collection.id), access(path, F_OK) == 0 else { return }
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
        transaction.afterCommit { [self] in run { [self] in removeNow(keys) } }
    }

    private func removeNow(_ keys: [String]) {
        var done: [String] = []
        for key in keys {
            do throws(FileError) {
                try storage.remove(key)
                done.append(key)
            } catch {
                warn("A file could not be removed; the next start tries again.", error)
            }
        }
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

    // MARK: - At the start

    /// Finishes what an earlier process could not: removes uploads that no record names, and files that were let go of.
    /// Only for the process that has the folder.
    func sweep(_ schema: Schema) throws {
        for name in FileSystem.names(in: uploadsFolder) {
            let folder = "\(uploadsFolder)/\(name)"
            if let journal = FileSystem.read("\(folder)/\(Uploads.journal)", limit: 16 << 20),
                let keys = (try? JSONParser.parse(journal))?.arrayValue
            {
                for key in keys.compactMap(\.stringValue) where try !isNamed(key, schema) { try storage.remove(key) }
            }
            try FileSystem.removeTree(folder)
        }
        let left = try database.read { connection -> [String] in
            let exists = try connection.scalar("SELECT 1 FROM sqlite_master WHERE name = ?", [.text(Self.table)])
            guard exists != nil else { return [] }
            return try connection.rows("SELECT `key` FROM `\(Self.table)`").compactMap { $0.first?.textValue }
        }
        if !left.isEmpty { removeNow(left) }
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
