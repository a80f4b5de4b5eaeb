import Glibc

/// What the file system knows of a file or folder; links are followed.
package struct FileStatus: Sendable {
    package let isFolder: Bool
    package let isFile: Bool
    package let size: Int
    /// Seconds since 1970.
    package let modified: Int
    /// Grows with every change, as finely as the file system knows.
    package let version: Int

    /// - Returns: nil for what is not there or may not be looked at.
    package init?(of path: String) {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        isFolder = status.st_mode & S_IFMT == S_IFDIR
        isFile = status.st_mode & S_IFMT == S_IFREG
        size = Int(status.st_size)
        modified = Int(status.st_mtim.tv_sec)
        version = Int(status.st_mtim.tv_sec) << 30 | Int(status.st_mtim.tv_nsec)
    }
}
