import Glibc
package import Store
import Synchronization

/// Writes a migration file for each change of a collection that a request makes, so that the change can be carried to
/// other data folders.
package final class Automigration: Sendable {
    private let folder: String
    /// The number that the latest file begins with. Two files never share one: their order is the order of the changes.
    private let latest = Mutex<Int64>(0)

    package init(folder: String) { self.folder = folder }

    /// Writes the file of a change and notes it as applied.
    ///
    /// Until the change is committed the file has a name that no migration has: a migration that is there and was not
    /// applied would be at the next start.
    ///
    /// - Parameters:
    ///   - old: nil for a collection that was created.
    ///   - new: nil for one that was deleted.
    /// - Throws: why the file could not be written.
    package func record(from old: Collection?, to new: Collection?, in transaction: Transaction) throws {
        guard let script = CollectionScript.change(from: old, to: new), let name = old?.name ?? new?.name else {
            return
        }
        let action = new == nil ? "deleted" : old == nil ? "created" : "updated"
        let file = "\(nextNumber())_\(action)_\(Self.fileName(name)).js"
        try transaction.connection.run(
            "INSERT INTO _migrations (file, applied) VALUES (?1, ?2)",
            [.text(file), .integer(Timestamp.microseconds())])
        let draft = "\(folder)/\(Self.draftName(file))"
        try FileSystem.makeFolders(folder)
        transaction.afterRollback { unlink(draft) }
        try FileSystem.write(Array(script.utf8), to: draft)
        FileSystem.synchronise(folder: folder)
        transaction.afterCommit { [self] in
            if put(file) { FileSystem.synchronise(folder: folder) }
        }
    }

    /// Gives files their names whose change was committed when the process ended, and removes those of changes that
    /// were not. To be called before anything is applied, by the process that has the right to the data folder.
    package func recover(_ database: Database) throws {
        let drafts = FileSystem.names(in: folder).compactMap(Self.file(ofDraft:))
        if drafts.isEmpty { return }
        let applied = try database.read { Set(try $0.rows("SELECT file FROM _migrations").map(\.[0].textValue)) }
        for file in drafts {
            if applied.contains(file) { _ = put(file) } else { unlink("\(folder)/\(Self.draftName(file))") }
        }
        FileSystem.synchronise(folder: folder)
    }

    private func put(_ file: String) -> Bool {
        rename("\(folder)/\(Self.draftName(file))", "\(folder)/\(file)") == 0
    }

    private static func draftName(_ file: String) -> String { ".\(file).draft" }

    private static func file(ofDraft name: String) -> String? {
        guard name.hasPrefix("."), name.hasSuffix(".js.draft") else { return nil }
        return String(name.dropFirst().dropLast(".draft".count))
    }

    private func nextNumber() -> Int64 {
        let now = Timestamp.unixSeconds()
        return latest.withLock { latest in
            if latest == 0 {
                // A file from the far future must not pull all later ones there.
                latest = MigrationFolder(folder).files.compactMap(Self.number).filter { $0 < now + 3600 }.max() ?? 0
            }
            latest = max(now, latest + 1)
            return latest
        }
    }

    private static func number(_ file: String) -> Int64? { Int64(file.prefix { $0 != "_" }) }

    /// A name that does not end in `test`, since tools take such files for tests, and that leaves the file's name within
    /// the 255 bytes that file systems allow.
    private static func fileName(_ name: String) -> String {
        let name = String(name.prefix(200))
        return name.lowercased().hasSuffix("test") ? name + "_" : name
    }
}

/// Files of the migrations folder.
package enum MigrationFile {
    /// Writes a file so that it is either there whole or not at all.
    ///
    /// - Throws: ``FileError``.
    package static func write(_ text: String, to path: String, in folder: String) throws {
        try FileSystem.makeFolders(folder)
        let temporary = "\(folder)/.\(getpid())-\(RandomText.make(8)).tmp"
        try FileSystem.write(Array(text.utf8), to: temporary)
        guard rename(temporary, path) == 0 else {
            let error = FileError("\(path) could not be written")
            unlink(temporary)
            throw error
        }
        FileSystem.synchronise(folder: folder)
    }

    /// The name of a new migration: the time, and the name in small letters with lines between its words.
    package static func name(_ title: String, suffix: String) -> String {
        var words = ""
        var last: Character?
        for character in title {
            guard character.isLetter || character.isNumber else {
                last = nil
                continue
            }
            let startsWord = last == nil || (character.isUppercase && last?.isUppercase == false)
            if startsWord && !words.isEmpty { words += "_" }
            words += character.lowercased()
            last = character
        }
        return "\(Timestamp.unixSeconds())_\(words).\(suffix)"
    }
}
