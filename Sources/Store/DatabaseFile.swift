internal import CSQLite
internal import Glibc

/// Looks at a database file before SQLite may touch it.
enum DatabaseFile {
    /// Refuses a file that is no sound SQLite database. A file that does not exist or is empty is fine: SQLite makes
    /// it one. Nothing is written, and no side files come to be unless the file has a log already.
    ///
    /// - Parameters:
    ///   - path: the file.
    ///   - fullCheckLimit: the largest size in bytes of a file that is read through; of a larger one only the header
    ///     and the schema are.
    static func check(_ path: String, fullCheckLimit: Int) throws(StoreError) {
        var info = stat()
        guard stat(path, &info) == 0 else {
            if errno == ENOENT { return }
            throw StoreError.unusable(path, "cannot be read", code: SQLITE_CANTOPEN)
        }
        guard info.st_mode & S_IFMT == S_IFREG else {
            throw StoreError.unusable(path, "is not a file", code: SQLITE_CANTOPEN)
        }
        guard info.st_size > 0 else { return }
        try checkHeader(path, size: Int(info.st_size))

        var logInfo = stat()
        let hasLog = stat(path + "-wal", &logInfo) == 0 && logInfo.st_size > 0
        do throws(StoreError) {
            let connection = try Connection(path: path, access: hasLog ? .readOnly : .immutable)
            if Int(info.st_size) <= fullCheckLimit {
                let answer = try connection.scalar("PRAGMA quick_check(1)")?.textValue ?? "no answer"
                guard answer == "ok" else { throw StoreError.unusable(path, answer, code: SQLITE_CORRUPT) }
            } else {
                _ = try connection.scalar("SELECT count(*) FROM sqlite_master")
            }
        } catch {
            if error.isCorrupt, error.kind == .sqlite {
                throw StoreError.unusable(path, "is damaged: \(error.message)", code: error.code)
            }
            throw error
        }
    }

    /// The 100 bytes at the start (sqlite.org/fileformat.html, section 1.3).
    private static func checkHeader(_ path: String, size: Int) throws(StoreError) {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw StoreError.unusable(path, "cannot be read", code: SQLITE_CANTOPEN) }
        defer { close(descriptor) }
        var header = [UInt8](repeating: 0, count: 100)
        let count = pread(descriptor, &header, header.count, 0)
        guard count == 100, header[..<16].elementsEqual(Array("SQLite format 3\0".utf8)) else {
            throw StoreError.unusable(path, "is not an SQLite database")
        }
        let pageSize = Int(header[16]) << 8 | Int(header[17])
        guard pageSize == 1 || (pageSize >= 512 && pageSize <= 32768 && pageSize & (pageSize - 1) == 0) else {
            throw StoreError.unusable(path, "is damaged: its page size is \(pageSize)", code: SQLITE_CORRUPT)
        }
    }
}
