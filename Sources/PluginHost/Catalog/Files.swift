internal import COpenSSL
internal import Glibc
internal import JSON

/// Files as the loader needs them. Errors are given as the system's words.
enum Files {
    static func errorText(_ code: Int32 = errno) -> String { String(cString: strerror(code)) }

    /// The whole of a file.
    static func read(_ path: String, limit: Int = .max) throws(PluginProblem) -> [UInt8] {
        var bytes: [UInt8] = []
        try readPieces(of: path) { piece throws(PluginProblem) in
            bytes += piece
            if bytes.count > limit { throw PluginProblem(.manifest, "\(path) is larger than \(limit) bytes.") }
        }
        return bytes
    }

    /// Calls `body` with a file's bytes, piece by piece.
    private static func readPieces(
        of path: String, _ body: (ArraySlice<UInt8>) throws(PluginProblem) -> Void
    ) throws(PluginProblem) {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw PluginProblem(.manifest, "\(path) cannot be read: \(errorText()).") }
        defer { close(descriptor) }
        var buffer = [UInt8](repeating: 0, count: 64 * 1024)
        while true {
            let count = Glibc.read(descriptor, &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw PluginProblem(.manifest, "\(path) cannot be read: \(errorText()).") }
            if count == 0 { return }
            try body(buffer[..<count])
        }
    }

    /// Replaces a file at one stroke: a temporary one beside it is written, synced and renamed.
    static func write(_ bytes: [UInt8], to path: String, mode: mode_t = 0o644) throws(PluginProblem) {
        let temporary = "\(path).\(getpid()).tmp"
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode)
        guard descriptor >= 0 else { throw PluginProblem(.trust, "\(path) cannot be written: \(errorText()).") }
        var offset = 0
        var failure: Int32 = 0
        bytes.withUnsafeBytes { buffer in
            while offset < buffer.count {
                let count = Glibc.write(descriptor, buffer.baseAddress?.advanced(by: offset), buffer.count - offset)
                if count < 0 {
                    if errno == EINTR { continue }
                    failure = errno
                    return
                }
                offset += count
            }
        }
        if failure == 0, fchmod(descriptor, mode) != 0 || fsync(descriptor) != 0 { failure = errno }
        close(descriptor)
        if failure == 0, rename(temporary, path) != 0 { failure = errno }
        if failure != 0 {
            unlink(temporary)
            throw PluginProblem(.trust, "\(path) cannot be written: \(errorText(failure)).")
        }
    }

    /// Makes a folder and those above it that are missing.
    static func makeFolder(_ path: String) throws(PluginProblem) {
        var info = stat()
        if stat(path, &info) == 0, info.st_mode & S_IFMT == S_IFDIR { return }
        let parent = folder(of: path)
        if parent != path, parent != "." { try makeFolder(parent) }
        if mkdir(path, 0o755) != 0, errno != EEXIST {
            throw PluginProblem(.trust, "\(path) cannot be made: \(errorText()).")
        }
    }

    static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

    static func isFolder(_ path: String) -> Bool {
        var info = stat()
        return stat(path, &info) == 0 && info.st_mode & S_IFMT == S_IFDIR
    }

    /// The names in a folder in byte order, without those that begin with a dot; empty when it cannot be read.
    static func names(in path: String) -> [String] {
        guard let handle = opendir(path) else { return [] }
        defer { closedir(handle) }
        var names: [String] = []
        while let entry = readdir(handle) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if !name.hasPrefix(".") { names.append(name) }
        }
        return names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    }

    /// Removes a file or a folder with all that is in it, following no link.
    static func remove(_ path: String) {
        var info = stat()
        guard lstat(path, &info) == 0 else { return }
        if info.st_mode & S_IFMT == S_IFDIR {
            if let handle = opendir(path) {
                var names: [String] = []
                while let entry = readdir(handle) {
                    let name = withUnsafePointer(to: &entry.pointee.d_name) {
                        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
                    }
                    if name != ".", name != ".." { names.append(name) }
                }
                closedir(handle)
                for name in names { remove(path + "/" + name) }
            }
            rmdir(path)
        } else {
            unlink(path)
        }
    }

    /// The path with links resolved; nil when there is no such file.
    static func real(_ path: String) -> String? {
        guard let resolved = realpath(path, nil) else { return nil }
        defer { free(resolved) }
        return String(cString: resolved)
    }

    /// The folder that a path is in.
    static func folder(of path: String) -> String {
        var trimmed = path[...]
        while trimmed.count > 1, trimmed.hasSuffix("/") { trimmed.removeLast() }
        guard let slash = trimmed.lastIndex(of: "/") else { return "." }
        return slash == trimmed.startIndex ? "/" : String(trimmed[..<slash])
    }

    /// The last part of a path.
    static func name(of path: String) -> String {
        path.split(separator: "/").last.map(String.init) ?? path
    }

    /// The SHA-256 of some bytes in hexadecimal digits.
    static func sha256(_ bytes: [UInt8]) -> String {
        var hash = SHA256()
        hash.add(bytes[...])
        return hash.finish()
    }

    /// The SHA-256 of a file, which is never in memory as a whole.
    static func sha256(of path: String) throws(PluginProblem) -> String {
        var hash = SHA256()
        try readPieces(of: path) { piece throws(PluginProblem) in hash.add(piece) }
        return hash.finish()
    }
}

/// A SHA-256 that is made piece by piece.
private struct SHA256: ~Copyable {
    private let context = EVP_MD_CTX_new()
    private var isGood: Bool

    init() { isGood = EVP_DigestInit_ex(context, EVP_sha256(), nil) == 1 }

    deinit { EVP_MD_CTX_free(context) }

    mutating func add(_ bytes: ArraySlice<UInt8>) {
        let worked = bytes.withUnsafeBytes { EVP_DigestUpdate(context, $0.baseAddress, $0.count) }
        if worked != 1 { isGood = false }
    }

    /// The digest in hexadecimal digits; empty, which no file has, when the library cannot make one.
    consuming func finish() -> String {
        var digest = [UInt8](repeating: 0, count: 32)
        var length: UInt32 = 0
        guard isGood, EVP_DigestFinal_ex(context, &digest, &length) == 1, length == 32 else { return "" }
        let digits = Array("0123456789abcdef".utf8)
        return String(decoding: digest.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }
}
