internal import Glibc

/// Copies a plugin's folder: regular files and folders only, made ours and writable by nobody else.
enum FolderCopy {
    private static let mostFiles = 10_000
    private static let mostBytes = 1 << 30

    /// - Throws: ``PluginProblem`` for links and odd files, and for folders that are too large to be a plugin.
    static func copy(_ source: String, to target: String) throws(PluginProblem) {
        var files = 0
        var bytes = 0
        try copy(source, target, &files, &bytes, depth: 0)
    }

    private static func copy(
        _ source: String, _ target: String, _ files: inout Int, _ bytes: inout Int, depth: Int
    ) throws(PluginProblem) {
        guard depth < 32 else { throw PluginProblem(.trust, "\(source) is nested too deep to be a plugin's folder.") }
        guard mkdir(target, 0o755) == 0, chmod(target, 0o755) == 0 else {
            throw PluginProblem(.trust, "\(target) cannot be made: \(Files.errorText()).")
        }
        for name in Files.names(in: source) {
            let path = source + "/" + name
            var info = stat()
            guard lstat(path, &info) == 0 else {
                throw PluginProblem(.trust, "\(path) cannot be looked at: \(Files.errorText()).")
            }
            files += 1
            bytes += Int(info.st_size)
            guard files <= mostFiles, bytes <= mostBytes else {
                throw PluginProblem(.trust, "\(source) is too large to be a plugin's folder.")
            }
            switch info.st_mode & S_IFMT {
            case S_IFDIR: try copy(path, target + "/" + name, &files, &bytes, depth: depth + 1)
            case S_IFREG:
                let isProgram = name.hasSuffix(".so") || info.st_mode & S_IXUSR != 0
                try Files.write(try Files.read(path), to: target + "/" + name, mode: isProgram ? 0o755 : 0o644)
            default:
                throw PluginProblem(.trust, "\(path) is neither a file nor a folder; a plugin may hold nothing else.")
            }
        }
    }
}
