import Glibc

/// Files beside `auxiliary.db` that hold log lines until there is time to insert them: `auxiliary.db-spool-1` and so on, each
/// a row of blocks. A file is removed when the lines of all its blocks are in the table.
///
/// Nothing waits for the disk: what was written survives the end of the process, and may be lost with the machine's. A
/// block that was not written whole is recognised, and it and what follows in its file are dropped. Used by one thread at a time.
struct LogSpool: Sendable {
    /// Bytes from which on lines are inserted whatever else there is to do.
    static let limit = 64 << 20
    /// Bytes after which another file is begun: the oldest is removed while later lines are still to be inserted.
    private static let fileSize = 4 << 20

    private struct File {
        let path: String
        /// Bytes of whole blocks.
        var size: Int
    }

    private let prefix: String
    private var nextNumber = 1
    /// The oldest first.
    private var files: [File] = []
    /// The descriptor of the last file, as long as blocks are appended to it; -1 for none.
    private var output: Int32 = -1
    /// The descriptor of the first file, and where the next block in it begins.
    private var input: Int32 = -1
    private var offset = 0
    /// Bytes that are to be inserted.
    private(set) var size = 0
    /// How often all lines were removed.
    private(set) var generation = 0

    /// Finds what an earlier process left.
    /// - Parameter database: the path of `auxiliary.db`.
    init(beside database: String) {
        prefix = database + "-spool-"
        for (number, path) in Self.numbered(prefix) {
            nextNumber = max(nextNumber, number + 1)
            var status = stat()
            guard lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { continue }
            files.append(File(path: path, size: Int(status.st_size)))
            size += Int(status.st_size)
        }
    }

    /// Whether a file of the data folder is one of these.
    static func isSpool(_ name: String) -> Bool { name.hasPrefix("auxiliary.db-spool-") }

    private static func numbered(_ prefix: String) -> [(number: Int, path: String)] {
        let slash = prefix.lastIndex(of: "/")
        let folder = slash.map { String(prefix[..<$0]) } ?? "."
        let start = slash.map { String(prefix[prefix.index(after: $0)...]) } ?? prefix
        return FileSystem.names(in: folder).compactMap { name in
            guard name.hasPrefix(start), let number = Int(name.dropFirst(start.count)), (1..<1 << 40).contains(number)
            else { return nil }
            return (number, "\(folder)/\(name)")
        }.sorted { $0.number < $1.number }
    }

    var isEmpty: Bool { files.isEmpty }

    /// Appends a block; with an error, nothing is appended.
    mutating func append(_ block: LogBlock) throws(FileError) {
        if output >= 0, let last = files.last, last.size >= Self.fileSize { closeOutput() }
        if output < 0 {
            let path = prefix + "\(nextNumber)"
            nextNumber += 1
            output = open(path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0o600)
            guard output >= 0 else { throw FileError.last("\(path) could not be made") }
            files.append(File(path: path, size: 0))
        }
        let last = files.count - 1
        guard block.withBytes({ FileSystem.write($0, to: output) }) else {
            let error = FileError.last("\(files[last].path) could not be written")
            // What was written of it must not come before what is appended next.
            if ftruncate(output, off_t(files[last].size)) != 0 { closeOutput() }
            throw error
        }
        files[last].size += block.size
        size += block.size
    }

    private mutating func closeOutput() {
        close(output)
        output = -1
    }

    /// The oldest block; nil when there is none. Files in which none is left, or none that can be read, are let go of.
    mutating func first() -> LogBlock? {
        while let file = files.first {
            do throws(FileError) {
                if let block = try read(file) { return block }
                removeFirst()
            } catch {
                // What cannot be read now is left to the next start.
                removeFirst(keepsFile: true)
            }
        }
        return nil
    }

    /// Lets go of the block that `first` gave.
    mutating func remove(_ block: LogBlock) {
        offset += block.size
        size -= block.size
        if let file = files.first, offset >= file.size { removeFirst() }
    }

    private mutating func removeFirst(keepsFile: Bool = false) {
        if input >= 0 { close(input) }
        input = -1
        let file = files.removeFirst()
        size -= file.size - offset
        offset = 0
        if files.isEmpty, output >= 0 { closeOutput() }
        if !keepsFile { unlink(file.path) }
    }

    /// The block at the offset; nil when there is no whole one.
    private mutating func read(_ file: File) throws(FileError) -> LogBlock? {
        if input < 0 { input = open(file.path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW) }
        guard input >= 0 else { throw FileError.last("\(file.path) could not be read") }
        let header = try read(min(LogBlock.headerSize, file.size - offset))
        guard let size = header.withUnsafeBytes({ LogBlock.size(header: $0) }), size <= file.size - offset
        else { return nil }
        return LogBlock(try read(size))
    }

    /// Reads bytes from the offset on; fewer when the file ends before.
    private func read(_ count: Int) throws(FileError) -> [UInt8] {
        var code: Int32 = 0
        let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            while filled < count {
                let read = pread(input, buffer.baseAddress.map { $0 + filled }, count - filled, off_t(offset + filled))
                if read < 0 && errno == EINTR { continue }
                if read < 0 { code = errno }
                if read <= 0 { break }
                filled += read
            }
        }
        guard code == 0 else { throw FileError("The log's lines could not be read", code) }
        return bytes
    }

    /// Removes all lines.
    /// - Throws: when a file cannot be removed, whose lines the next start would insert.
    mutating func removeAll() throws(FileError) {
        closeFiles()
        generation += 1
        files = []
        size = 0
        offset = 0
        var failure: FileError?
        for (_, path) in Self.numbered(prefix) where unlink(path) != 0 && errno != ENOENT {
            failure = FileError.last("\(path) could not be removed")
        }
        if let failure { throw failure }
    }

    /// Leaves what is there to the next start.
    mutating func closeFiles() {
        if output >= 0 { closeOutput() }
        if input >= 0 { close(input) }
        input = -1
    }
}
