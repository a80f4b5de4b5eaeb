import CZip
import Glibc

/// Writes an archive. The contents are read when it is closed, one after the other and in pieces.
final class ZipWriter {
    /// Where an entry's bytes come from.
    protocol Content: AnyObject {
        func open() throws
        /// - Returns: how many bytes were read; 0 at the end.
        func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int
        func close()
    }

    /// Keeps the first error of a content, which the library would lose.
    private final class Failure {
        var error: (any Error)?
    }

    private final class Entry {
        let content: any Content
        let failure: Failure
        init(_ content: any Content, _ failure: Failure) {
            self.content = content
            self.failure = failure
        }

        func run<T>(_ body: () throws -> T) -> T? {
            do { return try body() } catch {
                if failure.error == nil { failure.error = error }
                return nil
            }
        }

        static func from(_ user: UnsafeMutableRawPointer?) -> Entry? {
            user.map { Unmanaged<Entry>.fromOpaque($0).takeUnretainedValue() }
        }
    }

    private var archive: OpaquePointer?
    private let failure = Failure()

    /// - Parameter path: of the archive; nothing may be there.
    init(path: String) throws(BackupError) {
        if let problem = roost_zip_load() { throw BackupError(String(cString: problem)) }
        var words: UnsafePointer<CChar>?
        archive = roost_zip_create(path, &words)
        if archive == nil {
            throw BackupError(
                "The archive could not be made: \(words.map { String(cString: $0) } ?? "no reason given")")
        }
    }

    deinit { if let archive { roost_zip_discard(archive) } }

    /// Adds an entry.
    /// - Parameter modified: Unix seconds.
    func add(
        _ name: String, size: Int64, modified: Int64, compresses: Bool, _ content: any Content
    ) throws(BackupError) {
        guard let archive else { return }
        var callbacks = roost_zip_content()
        callbacks.user = Unmanaged.passRetained(Entry(content, failure)).toOpaque()
        callbacks.open = { user in
            guard let entry = Entry.from(user) else { return -1 }
            return entry.run { try entry.content.open() } == nil ? -1 : 0
        }
        callbacks.read = { user, buffer, length in
            guard let entry = Entry.from(user) else { return -1 }
            let bytes = UnsafeMutableRawBufferPointer(start: buffer, count: Int(length))
            return Int64(entry.run { try entry.content.read(into: bytes) } ?? -1)
        }
        callbacks.close = { user in Entry.from(user)?.content.close() }
        callbacks.release = { user in
            if let user { Unmanaged<Entry>.fromOpaque(user).release() }
        }
        guard roost_zip_add(archive, name, UInt64(max(size, 0)), modified, compresses ? 1 : 0, &callbacks) == 0 else {
            throw BackupError("\"\(name)\" could not be added: \(words)")
        }
    }

    private var words: String {
        archive.flatMap { roost_zip_error($0) }.map { String(cString: $0) } ?? "no reason given"
    }

    /// Reads everything and writes the archive. On failure nothing is left behind.
    func finish() throws {
        guard let archive else { return }
        guard roost_zip_close(archive) == 0 else {
            if let error = failure.error { throw error }
            let code = roost_zip_error_code(archive)
            if code != 0 { throw FileError("The archive could not be written", code) }
            throw BackupError("The archive could not be written: \(words)")
        }
        self.archive = nil
    }
}
