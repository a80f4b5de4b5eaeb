internal import CSQLite
internal import Glibc

/// The right to write in a data directory: one process at a time has it, until it ends or lets go.
///
/// It is a lock on the file `_roost_lock` in the directory, which stays there: removing it would let two processes
/// lock two files of that name. The lock itself goes with the process, however it ends.
package final class DirectoryLock: Sendable {
    /// The name of the file in the directory.
    package static let fileName = "_roost_lock"

    private let descriptor: Int32

    /// Takes the lock without waiting.
    ///
    /// - Parameter path: the directory, which must exist.
    /// - Throws: `isBusy` if another process has it (or this one already), else why the file cannot be opened.
    package init(_ path: String) throws(StoreError) {
        let file = path + "/" + DirectoryLock.fileName
        let opened = open(file, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard opened >= 0 else {
            throw StoreError(code: SQLITE_CANTOPEN, message: "\(file): \(DirectoryLock.reason(errno))")
        }
        // Bound to the open file, not to the process as POSIX locks are, which any close of the file would drop.
        guard flock(opened, LOCK_EX | LOCK_NB) == 0 else {
            let problem = errno
            let owner = DirectoryLock.owner(opened)
            close(opened)
            if problem == EWOULDBLOCK {
                let who = owner.map { " (process \($0))" } ?? ""
                throw StoreError(code: SQLITE_BUSY, message: "\(path) is in use by another server\(who)")
            }
            throw StoreError(code: SQLITE_IOERR, message: "\(file): \(DirectoryLock.reason(problem))")
        }
        descriptor = opened
        let line = Array("\(getpid())\n".utf8)
        if ftruncate(opened, 0) == 0 { _ = pwrite(opened, line, line.count, 0) }
    }

    deinit { close(descriptor) }

    /// Whether a process has the right, and which one as far as it is known. Nothing is written.
    package static func holder(of path: String) -> (isHeld: Bool, process: Int32?) {
        let opened = open(path + "/" + fileName, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
        guard opened >= 0 else { return (false, nil) }
        defer { close(opened) }
        if flock(opened, LOCK_SH | LOCK_NB) == 0 { return (false, nil) }
        return (errno == EWOULDBLOCK, owner(opened))
    }

    private static func owner(_ descriptor: Int32) -> Int32? {
        var bytes = [UInt8](repeating: 0, count: 16)
        let count = pread(descriptor, &bytes, bytes.count, 0)
        guard count > 0 else { return nil }
        return Int32(String(decoding: bytes[..<count].prefix { $0 > 0x20 }, as: UTF8.self))
    }

    private static func reason(_ code: Int32) -> String {
        strerror(code).map { String(cString: $0) } ?? "error \(code)"
    }
}
