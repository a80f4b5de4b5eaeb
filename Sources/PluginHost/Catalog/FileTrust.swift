internal import Glibc

/// Whether a file may be mapped as code: it and its folder belong to us or to root, and nobody else may write to them.
///
/// Who can write to a plugin can do whatever the server can; a folder that others may write to lets them swap the file
/// between this check and `dlopen`.
enum FileTrust {
    /// - Parameters:
    ///   - path: a file or a folder; links are followed, what they lead to is judged.
    /// - Throws: ``PluginProblem`` of kind `trust`.
    static func check(_ path: String) throws(PluginProblem) {
        guard let real = Files.real(path) else {
            throw PluginProblem(.trust, "\(path) is missing; install the plugin again.")
        }
        var info = stat()
        guard stat(real, &info) == 0 else {
            throw PluginProblem(.trust, "\(path) cannot be looked at: \(Files.errorText()).")
        }
        guard info.st_mode & S_IFMT == S_IFREG else {
            throw PluginProblem(.trust, "\(path) is not a regular file; install the plugin again.")
        }
        try checkOwnerAndMode(real, info)
        let folder = Files.folder(of: real)
        guard stat(folder, &info) == 0 else {
            throw PluginProblem(.trust, "\(folder) cannot be looked at: \(Files.errorText()).")
        }
        try checkOwnerAndMode(folder, info)
    }

    /// The same for a folder that plugins are searched in.
    static func checkFolder(_ path: String) throws(PluginProblem) {
        var info = stat()
        guard let real = Files.real(path), stat(real, &info) == 0, info.st_mode & S_IFMT == S_IFDIR else {
            throw PluginProblem(.trust, "\(path) is not a folder.")
        }
        try checkOwnerAndMode(real, info)
    }

    private static func checkOwnerAndMode(_ path: String, _ info: stat) throws(PluginProblem) {
        guard info.st_uid == geteuid() || info.st_uid == 0 else {
            throw PluginProblem(
                .trust,
                "\(path) belongs to user \(info.st_uid), who is neither this server's user nor root; run: chown "
                    + "\(geteuid()) \(path)")
        }
        // A sticky folder such as /tmp lets nobody but the owner of a file replace it, but lets others add files.
        guard info.st_mode & (S_IWGRP | S_IWOTH) == 0 else {
            throw PluginProblem(.trust, "\(path) is writable by others; run: chmod go-w \(path)")
        }
    }
}
