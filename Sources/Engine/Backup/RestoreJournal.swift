import Glibc
import JSON

/// Puts a backup in the place of the data: all of it or nothing, whenever the process dies.
///
/// A restore is decided by the journal `_roost_restore/journal`, which comes by one rename when everything is unpacked,
/// checked and on the disk. It names what comes. Each entry is moved by a rename, and where it lies tells whether it was
/// moved: what comes from `_roost_restore/new`, what goes to `_roost_restore/old`. So a start that finds a journal goes on
/// where the last one stopped; one that finds no journal removes the rest. When an entry cannot be moved, the journal is
/// turned round in the same way and everything goes back.
struct RestoreJournal {
    static let name = "journal"

    let folders: BackupFolders
    /// Entries of the data folder as it will be.
    let new: [String]
    var isUndoing = false

    private var data: String { folders.dataDirectory }
    private var newFolder: String { folders.restoring + "/new" }
    private var oldFolder: String { folders.restoring + "/old" }

    // MARK: - Deciding

    /// Decides for the restore of what lies in `_roost_restore/new`.
    static func write(_ folders: BackupFolders) throws {
        let new = FileSystem.names(in: folders.restoring + "/new").filter(BackupFolders.isData)
        try checkDevices(FileSystem.names(in: folders.dataDirectory).filter(BackupFolders.isData), folders)
        try FileSystem.makeFolders(folders.restoring + "/old")
        try RestoreJournal(folders: folders, new: new.sorted()).put()
    }

    private func put() throws {
        let path = "\(folders.restoring)/\(Self.name)"
        let json: JSON = ["new": .array(new.map { .string($0) }), "undo": .bool(isUndoing)]
        try FileSystem.write(json.serializedBytes(), to: path + ".new")
        FileSystem.synchronise(folder: data)
        guard rename(path + ".new", path) == 0 else { throw FileError.last("The restore could not be begun") }
        FileSystem.synchronise(folder: folders.restoring)
    }

    /// An entry that is a file system of its own cannot be moved.
    private static func checkDevices(_ names: [String], _ folders: BackupFolders) throws {
        var own = stat()
        guard stat(folders.restoring, &own) == 0 else { throw FileError.last("The data folder cannot be read") }
        for name in names {
            var status = stat()
            guard lstat("\(folders.dataDirectory)/\(name)", &status) == 0 else { continue }
            guard status.st_dev == own.st_dev else {
                throw BackupError.refused(
                    "\(name) in the data folder is a file system of its own; unmount it, or restore by hand.")
            }
        }
    }

    // MARK: - At the start

    /// Finishes a restore that was decided, or removes what one left that was not.
    /// - Returns: words for the operator.
    static func recover(_ folders: BackupFolders) throws -> String? {
        guard access(folders.restoring, F_OK) == 0 else { return nil }
        let path = "\(folders.restoring)/\(name)"
        guard let bytes = FileSystem.read(path, limit: 64 << 20) else {
            guard access(path, F_OK) != 0 else { throw FileError.last("\(path) cannot be read") }
            try FileSystem.removeTree(folders.restoring)
            return nil
        }
        guard var journal = RestoreJournal(bytes, folders) else {
            throw BackupError(
                "\(path) is damaged, and with it what is to be restored. The data before the restore is in this folder "
                    + "and in \(folders.restoring)/old: put it together by hand, then remove \(folders.restoring).")
        }
        if journal.isUndoing {
            try journal.undo()
            return "A backup could not be restored; the data is as it was."
        }
        do {
            try journal.swap()
        } catch {
            journal.isUndoing = true
            try journal.put()
            try journal.undo()
            return "A backup could not be restored (\(error)); the data is as it was."
        }
        try journal.finish()
        return "The backup was restored."
    }

    private init(folders: BackupFolders, new: [String]) {
        self.folders = folders
        self.new = new
    }

    private init?(_ bytes: [UInt8], _ folders: BackupFolders) {
        guard let object = (try? JSONParser.parse(bytes))?.objectValue, let new = object["new"]?.arrayValue,
            let undo = object["undo"]?.boolValue
        else { return nil }
        let names = new.compactMap(\.stringValue)
        let isGood = names.allSatisfy { BackupFolders.isData($0) && RestoreStage.isSafe($0) && !$0.contains("/") }
        guard names.count == new.count, isGood else { return nil }
        self.init(folders: folders, new: names)
        isUndoing = undo
    }

    /// Whether an entry of the data folder came from the backup.
    private func hasCome(_ name: String) -> Bool { new.contains(name) && access("\(newFolder)/\(name)", F_OK) != 0 }

    /// All that is data goes, be it that it was made after the decision: a log beside a database that it does not belong
    /// to would damage it.
    private func swap() throws {
        for name in FileSystem.names(in: data) where BackupFolders.isData(name) && !hasCome(name) {
            try move(name, from: data, to: oldFolder)
        }
        synchronise()
        for name in new where !hasCome(name) { try move(name, from: newFolder, to: data) }
        synchronise()
    }

    private func undo() throws {
        for name in new where hasCome(name) { try move(name, from: data, to: newFolder) }
        synchronise()
        for name in FileSystem.names(in: oldFolder) { try move(name, from: oldFolder, to: data) }
        synchronise()
        try finish()
    }

    private func move(_ name: String, from: String, to: String) throws {
        guard rename("\(from)/\(name)", "\(to)/\(name)") == 0 else {
            throw FileError.last("\(name) could not be moved")
        }
    }

    private func synchronise() {
        for folder in [data, oldFolder, newFolder] { FileSystem.synchronise(folder: folder) }
    }

    /// Without the journal the rest is rubbish, however far its removal gets.
    private func finish() throws {
        guard unlink("\(folders.restoring)/\(Self.name)") == 0 else {
            throw FileError.last("The restore could not be ended")
        }
        FileSystem.synchronise(folder: folders.restoring)
        try? FileSystem.removeTree(folders.restoring)
    }
}
