import Glibc

/// Writes what is read from a storage into a new file.
final class FileCopy: FileSink {
    private let path: String
    private let descriptor: Int32
    private var information: FileInformation?
    private(set) var failure: FileError?

    init(_ path: String) throws(FileError) {
        self.path = path
        descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw FileError("\(path) could not be written") }
    }

    deinit { close(descriptor) }

    func begin(_ file: FileInformation) -> Bool {
        information = file
        return true
    }

    func write(_ bytes: UnsafeRawBufferPointer) -> Bool {
        if FileSystem.write(bytes, to: descriptor) { return true }
        failure = FileError("\(path) could not be written")
        return false
    }

    /// The file is complete.
    func finish() throws(FileError) -> FileInformation {
        guard var information else { throw FileError("\(path) could not be written", EIO) }
        information.path = path
        return information
    }

    func discard() { unlink(path) }
}
