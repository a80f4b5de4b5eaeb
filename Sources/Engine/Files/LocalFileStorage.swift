import Glibc
import JSON

/// Why files could not be stored or read.
package struct FileError: Error, Sendable, CustomStringConvertible {
    package let description: String
    /// The system's reason.
    package let code: Int32

    init(_ what: String, _ code: Int32 = errno) {
        self.code = code
        description = "\(what): \(String(cString: strerror(code)))"
    }

    /// With the reason that the last call of the system left.
    package static func last(_ what: String) -> FileError { FileError(what) }

    package var isFull: Bool { code == ENOSPC || code == EDQUOT || code == EFBIG }
    package var isMissing: Bool { code == ENOENT || code == ENOTDIR }
}

/// Files in `pb_data/storage`, laid out as PocketBase lays them out: `<collection>/<record>/<name>` and beside each file
/// `<name>.attrs`, a JSON object with its type. Any thread; waits for the disk.
package struct LocalFileStorage: Sendable {
    package let root: String

    /// What is known of a stored file.
    package struct Information: Sendable {
        package var path: String
        package var size: Int
        /// Seconds since 1970.
        package var modified: Int
        package var contentType: String
    }

    package init(root: String) { self.root = root }

    /// The path of a key; nil for one that leads elsewhere or nowhere.
    package func path(_ key: String) -> String? {
        let parts = key.split(separator: "/", omittingEmptySubsequences: false)
        let isPlain = parts.allSatisfy { part in
            !part.isEmpty && part != "." && part != ".." && part.utf8.count <= 255 && !part.utf8.contains(0)
        }
        return isPlain && key.utf8.count <= 2000 ? "\(root)/\(key)" : nil
    }

    /// What is stored under a key; nil when it is no file.
    package func information(_ key: String) -> Information? {
        guard !key.hasSuffix(".attrs"), let path = path(key) else { return nil }
        var status = stat()
        guard stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return nil }
        return Information(
            path: path, size: Int(status.st_size), modified: Int(status.st_mtim.tv_sec), contentType: contentType(path))
    }

    private func contentType(_ path: String) -> String {
        guard let bytes = FileSystem.read(path + ".attrs", limit: 64 << 10),
            let type = (try? JSONParser.parse(bytes))?["user.content_type"]?.stringValue, !type.isEmpty
        else { return "application/octet-stream" }
        return type
    }

    /// Moves a file to its place, with what is known of it. Replaces nothing: names are new ones.
    package func take(_ temporary: String, as key: String, type: String, originalName: String) throws(FileError) {
        guard let path = path(key) else { throw FileError("The file name cannot be used", EINVAL) }
        let folder = String(path[..<(path.lastIndex(of: "/") ?? path.startIndex)])
        try FileSystem.makeFolders(folder)
        let attributes: JSON = [
            "user.cache_control": "", "user.content_disposition": "", "user.content_encoding": "",
            "user.content_language": "", "user.content_type": .string(type),
            "user.metadata": ["original-filename": .string(Self.cut(originalName))], "md5": .null,
        ]
        try FileSystem.write(attributes.serializedBytes() + [0x0A], to: path + ".attrs")
        guard rename(temporary, path) == 0 else {
            let error = FileError("The file could not be put in its place")
            unlink(path + ".attrs")
            throw error
        }
        FileSystem.synchronise(folder: folder)
    }

    /// The first 255 bytes, of whole characters.
    private static func cut(_ text: String) -> String {
        if text.utf8.count <= 255 { return text }
        var end = text.utf8.index(text.startIndex, offsetBy: 255)
        while end > text.startIndex, String.Index(end, within: text) == nil { end = text.utf8.index(before: end) }
        return String(text[..<end])
    }

    /// Removes a file with its thumbs, or with a key that ends in a slash everything below it. What is not there is
    /// removed already.
    package func remove(_ key: String) throws(FileError) {
        if key.hasSuffix("/") {
            guard let path = path(String(key.dropLast())) else { return }
            return try FileSystem.removeTree(path)
        }
        guard let path = path(key) else { return }
        for file in [path, path + ".attrs"] where unlink(file) != 0 && errno != ENOENT && errno != ENOTDIR {
            throw FileError("A file could not be removed")
        }
        if let slash = path.lastIndex(of: "/") {
            try FileSystem.removeTree("\(path[..<slash])/thumbs_\(path[path.index(after: slash)...])")
            rmdir(String(path[..<slash]))
        }
    }
}

/// Writing for those outside of the engine who store what arrives.
package enum FileWriting {
    /// - Returns: false with `errno` set.
    package static func write(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32) -> Bool {
        FileSystem.write(bytes, to: descriptor)
    }
}

/// What is needed of the file system.
enum FileSystem {
    static func makeFolders(_ path: String) throws(FileError) {
        if mkdir(path, 0o755) == 0 || errno == EEXIST { return }
        guard errno == ENOENT, let slash = path.lastIndex(of: "/"), slash > path.startIndex else {
            throw FileError("The folder \(path) could not be made")
        }
        try makeFolders(String(path[..<slash]))
        guard mkdir(path, 0o755) == 0 || errno == EEXIST else {
            throw FileError("The folder \(path) could not be made")
        }
    }

    /// Writes a small file, to the disk.
    static func write(_ bytes: [UInt8], to path: String) throws(FileError) {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw FileError("\(path) could not be written") }
        defer { close(descriptor) }
        guard write(bytes, to: descriptor), fdatasync(descriptor) == 0 else {
            let error = FileError("\(path) could not be written")
            unlink(path)
            throw error
        }
    }

    static func write(_ bytes: [UInt8], to descriptor: Int32) -> Bool {
        bytes.withUnsafeBytes { write($0, to: descriptor) }
    }

    /// - Returns: false with `errno` set.
    static func write(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32) -> Bool {
        var written = 0
        while written < bytes.count {
            let count = Glibc.write(descriptor, bytes.baseAddress.map { $0 + written }, bytes.count - written)
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { return false }
            written += count
        }
        return true
    }

    /// A small file; nil when it is not there or too large.
    static func read(_ path: String, limit: Int) -> [UInt8]? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG, Int(status.st_size) <= limit else {
            return nil
        }
        return [UInt8](unsafeUninitializedCapacity: Int(status.st_size)) { buffer, count in
            while count < buffer.count {
                let read = Glibc.read(descriptor, buffer.baseAddress.map { $0 + count }, buffer.count - count)
                if read <= 0 { break }
                count += read
            }
        }
    }

    /// Has the disk know the names in a folder.
    static func synchronise(folder: String) {
        let descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { return }
        fsync(descriptor)
        close(descriptor)
    }

    /// The names in a folder; empty when there is none.
    static func names(in folder: String) -> [String] {
        guard let directory = opendir(folder) else { return [] }
        defer { closedir(directory) }
        var names: [String] = []
        while let entry = readdir(directory) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != "." && name != ".." { names.append(name) }
        }
        return names
    }

    /// Removes a folder with all in it; follows no links.
    static func removeTree(_ path: String) throws(FileError) {
        var status = stat()
        guard lstat(path, &status) == 0 else { return }
        if status.st_mode & S_IFMT == S_IFDIR {
            for name in names(in: path) { try removeTree("\(path)/\(name)") }
            guard rmdir(path) == 0 || errno == ENOENT else { throw FileError("\(path) could not be removed") }
        } else if unlink(path) != 0 && errno != ENOENT {
            throw FileError("\(path) could not be removed")
        }
    }
}
