import Glibc
import JSON
import Store

/// Unpacks a backup into a folder beside the data, and checks that a server could run on it.
struct RestoreStage {
    let folders: BackupFolders
    let stop: BackupStop

    private var content: String { folders.restoring + "/new" }

    /// Space that must stay free on the disk.
    private static let reserve: UInt64 = 64 << 20
    /// Deflate gives no more than this for a byte (zlib.net/zlib_tech.html).
    private static let largestRatio: UInt64 = 1032

    func discard() { try? FileSystem.removeTree(folders.restoring) }

    // MARK: - Unpacking

    func unpack(_ archive: String) throws {
        try FileSystem.removeTree(folders.restoring)
        let zip = try ZipReader(path: archive)
        let entries = try Self.check(try zip.entries(), archiveSize: Self.size(of: archive), free: freeSpace())
        try FileSystem.makeFolders(content)
        for entry in entries {
            try stop.check()
            let path = "\(content)/\(entry.name)"
            if entry.isFolder {
                try FileSystem.makeFolders(path.hasSuffix("/") ? String(path.dropLast()) : path)
                continue
            }
            if let slash = path.lastIndex(of: "/") { try FileSystem.makeFolders(String(path[..<slash])) }
            try extract(entry, from: zip, to: path)
        }
        synchronise()
    }

    private func extract(_ entry: ZipReader.Entry, from zip: ZipReader, to path: String) throws {
        // Excluding: two names that the file system takes for one must not write over each other.
        let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw FileError.last("\"\(entry.name)\" could not be written") }
        defer { close(descriptor) }
        try zip.read(entry) { bytes in
            try stop.check()
            guard FileSystem.write(bytes, to: descriptor) else {
                throw FileError.last("\"\(entry.name)\" could not be written")
            }
        }
        guard fdatasync(descriptor) == 0 else { throw FileError.last("\"\(entry.name)\" could not be written") }
    }

    /// The names in all folders, too, must be on the disk before the journal says so.
    private func synchronise() { Self.synchronise(content) }

    private static func synchronise(_ folder: String) {
        for name in FileSystem.names(in: folder) {
            var status = stat()
            let path = "\(folder)/\(name)"
            if lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFDIR { synchronise(path) }
        }
        FileSystem.synchronise(folder: folder)
    }

    private static func size(of path: String) -> UInt64 {
        var status = stat()
        return stat(path, &status) == 0 ? UInt64(status.st_size) : 0
    }

    private func freeSpace() -> UInt64 {
        var status = statvfs()
        guard statvfs(folders.dataDirectory, &status) == 0 else { return .max }
        return UInt64(status.f_bavail) * UInt64(status.f_frsize)
    }

    /// Judges an archive by its list, before anything is written.
    /// - Returns: the entries that are data.
    static func check(
        _ entries: [ZipReader.Entry], archiveSize: UInt64, free: UInt64
    ) throws(BackupError) -> [ZipReader.Entry] {
        var names: Set<String> = []
        var total: UInt64 = 0
        var compressed: UInt64 = 0
        var kept: [ZipReader.Entry] = []
        for entry in entries {
            guard isSafe(entry.name) else { throw .refused("the name \(quoted(entry.name)) in it leads elsewhere.") }
            guard !entry.isOdd else { throw .refused("\(quoted(entry.name)) in it is neither a file nor a folder.") }
            guard !entry.isEncrypted else { throw .refused("\(quoted(entry.name)) in it is encrypted.") }
            guard names.insert(entry.name).inserted else {
                throw .refused("\(quoted(entry.name)) is in it more than once.")
            }
            // An entry cannot hold more than packing allows, nor all together more than there is: lists that say so make
            // one small archive fill a disk.
            let (most, overflows) = entry.compressed.multipliedReportingOverflow(by: largestRatio)
            guard overflows || entry.size <= most else {
                throw .refused("\(quoted(entry.name)) in it cannot be that large.")
            }
            let sums = (total.addingReportingOverflow(entry.size), compressed.addingReportingOverflow(entry.compressed))
            guard !sums.0.overflow, !sums.1.overflow, sums.1.partialValue <= archiveSize else {
                throw .refused("the files in it overlap.")
            }
            (total, compressed) = (sums.0.partialValue, sums.1.partialValue)
            let top = entry.name.prefix { $0 != "/" }
            // The shared memory of a log is made anew from the log.
            if BackupFolders.isData(String(top)), !entry.name.hasSuffix(".db-shm") { kept.append(entry) }
        }
        guard kept.contains(where: { $0.name == "data.db" && !$0.isFolder }) else {
            throw .refused("there is no data.db in it.")
        }
        guard total <= free, free - total >= reserve else {
            throw .refused("its \(total >> 20) MiB do not fit on the disk, where \(free >> 20) MiB are free.")
        }
        return kept
    }

    /// Whether a name stays below the folder that it is unpacked in.
    static func isSafe(_ name: String) -> Bool {
        // By bytes: to Swift a slash with a combining mark is another character.
        let trimmed = name.utf8.last == UInt8(ascii: "/") ? name.utf8.dropLast() : name.utf8[...]
        guard !trimmed.isEmpty, name.utf8.count <= 1000,
            !name.utf8.contains(where: { $0 < 0x20 || $0 == 0x7F || $0 == UInt8(ascii: "\\") })
        else { return false }
        return trimmed.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false).allSatisfy { part in
            !part.isEmpty && !part.elementsEqual(".".utf8) && !part.elementsEqual("..".utf8) && part.count <= 255
        }
    }

    private static func quoted(_ name: String) -> String { JSON.string(String(name.prefix(200))).serialized() }

    // MARK: - Checking

    /// Opens what was unpacked as the server would, with its key and its field types, and closes it again.
    func validate(like engine: Engine) throws {
        var configuration = engine.configuration
        configuration.dataDirectory = content
        configuration.checkpoints = true
        configuration.printer = nil
        do {
            let trial = try Engine(
                configuration: configuration, fieldTypes: engine.fieldTypes, hooks: HookRegistry(), lock: nil)
            defer { trial.close() }
            let damage = try trial.data.read { try $0.scalar("PRAGMA quick_check(1)")?.textValue }
            guard damage == "ok" else { throw BackupError("\(damage ?? "no answer")") }
            // Places in the log of before mean nothing in what comes after the backup.
            try trial.hooks.changes.log?.forget()
        } catch {
            throw BackupError.refused("a server could not run on it: \(error)")
        }
        synchronise()
    }

    /// From here on the next start restores.
    func commit() throws { try RestoreJournal.write(folders) }
}
