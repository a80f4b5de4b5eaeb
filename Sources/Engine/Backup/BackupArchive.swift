import Glibc
import Store

/// Writes the data folder into an archive while the server goes on writing.
///
/// The databases are frozen first (`Database.withFrozenFile`) and then read, so that records are of one moment. Files
/// that commits let go of meanwhile stay until the archive is written: each file that the frozen records name is in it.
struct BackupArchive {
    let data: Database
    let auxiliary: Database
    let files: FileKeeper
    let folders: BackupFolders
    let stop: BackupStop

    /// - Parameter path: of the archive; nothing may be there, and nothing is when this throws.
    func write(to path: String) throws {
        try files.holdingRemovals {
            try data.withFrozenFile { data in
                try auxiliary.withFrozenFile { auxiliary in
                    try write(to: path, ["data.db": data, "auxiliary.db": auxiliary])
                }
            }
        }
        try Self.synchronise(path)
    }

    private func write(to path: String, _ databases: [String: FrozenFile]) throws {
        let zip = try ZipWriter(path: path)
        let now = Timestamp.unixSeconds()
        for (name, file) in databases.sorted(by: { $0.key < $1.key }) {
            try zip.add(name, size: file.size, modified: now, compresses: true, FrozenContent(file, stop))
        }
        for name in FileSystem.names(in: folders.dataDirectory).sorted()
        where BackupFolders.isData(name) && !BackupFolders.isSideFile(name) && databases[name] == nil {
            try add(name, to: zip)
        }
        try zip.finish()
    }

    /// Adds a file, or a folder with what is below it. Links are followed nowhere and not kept, as PocketBase has it.
    private func add(_ name: String, to zip: ZipWriter) throws {
        try stop.check()
        let path = "\(folders.dataDirectory)/\(name)"
        var status = stat()
        guard lstat(path, &status) == 0 else { return }
        switch status.st_mode & S_IFMT {
        case S_IFDIR: for child in FileSystem.names(in: path).sorted() { try add("\(name)/\(child)", to: zip) }
        case S_IFREG:
            let size = Int64(status.st_size)
            try zip.add(
                name, size: size, modified: Int64(status.st_mtim.tv_sec), compresses: FileContent.compresses(name),
                FileContent(path: path, size: size, stop))
        default: break
        }
    }

    static func synchronise(_ path: String) throws {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw FileError.last("The archive is gone") }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else { throw FileError.last("The archive could not be written") }
    }
}
