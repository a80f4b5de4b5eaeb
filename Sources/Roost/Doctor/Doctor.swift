import Engine
import Glibc
import Store

/// Looks at a data folder and what is around it, and says what is wrong and what to do about it. It repairs nothing, runs
/// no plugin's code, and may be used while a server runs on the folder.
///
/// ```swift
/// for finding in Doctor(configuration).examine() where finding.state == .error { print(finding.message) }
/// ```
package struct Doctor {
    let configuration: Server.Configuration
    var folder: String { configuration.dataDirectory }

    package init(_ configuration: Server.Configuration) { self.configuration = configuration }

    package func examine() -> [Finding] {
        var findings: [Finding] = [.ok("version", "Roost \(Server.version) with SQLite \(Connection.libraryVersion).")]
        findings += plugins()
        let place = dataFolder()
        findings += place
        if !place.contains(where: { $0.state == .error }) {
            findings += runningServer()
            findings += disk()
            findings += databases()
            findings += leftovers()
        }
        findings += hooks()
        findings += port()
        return findings
    }

    // MARK: - The folder

    private func dataFolder() -> [Finding] {
        let check = "data-folder"
        var status = stat()
        guard stat(folder, &status) == 0 else {
            if errno == ENOENT {
                return [
                    .error(
                        check, "There is no data folder at \(folder).",
                        "Name the right one with --dir. `roost serve` makes a new one.")
                ]
            }
            return [.error(check, "\(folder) cannot be looked at: \(Self.reason()).", "Mend the folder's permissions.")]
        }
        guard status.st_mode & S_IFMT == S_IFDIR else {
            return [.error(check, "\(folder) is not a folder.", "Name the data folder with --dir.")]
        }
        guard access(folder, R_OK | W_OK | X_OK) == 0 else {
            return [
                .error(
                    check, "\(folder) cannot be read and written by this user: \(Self.reason()).",
                    "Run as the folder's owner (uid \(status.st_uid)), or `chown -R` the folder to this user.")
            ]
        }
        var findings: [Finding] = [.ok(check, "\(folder) can be read and written.")]
        for name in ["data.db", "data.db-wal", "auxiliary.db", "auxiliary.db-wal"] {
            let path = "\(folder)/\(name)"
            var file = stat()
            guard stat(path, &file) == 0 else { continue }
            if access(path, R_OK | W_OK) != 0 {
                findings.append(
                    .error(
                        "permissions", "\(path) cannot be read and written by this user: \(Self.reason()).",
                        "`chown` the file to the user that the server runs as."))
            } else if file.st_mode & 0o002 != 0 {
                findings.append(
                    .warning("permissions", "Everybody on this machine may change \(path).", "Run: chmod o-w \(path)"))
            } else if name == "data.db", file.st_mode & 0o004 != 0, status.st_mode & 0o001 != 0 {
                findings.append(
                    .warning(
                        "permissions", "Everybody on this machine may read \(path), passwords' hashes included.",
                        "Run: chmod o-rwx \(folder)"))
            }
        }
        return findings
    }

    private func runningServer() -> [Finding] {
        switch serverState {
        case .none: [.ok("server", "No server uses the folder.")]
        case .some(let text): [.ok("server", text)]
        }
    }

    /// What is known of a server that has the folder; nil when none has it.
    var serverState: String? {
        let (isHeld, process) = DirectoryLock.holder(of: folder)
        return isHeld ? "A server uses the folder\(process.map { " (process \($0))" } ?? "")." : nil
    }

    private func disk() -> [Finding] {
        var status = statvfs()
        guard statvfs(folder, &status) == 0 else { return [] }
        let free = Int(status.f_bavail) * Int(status.f_frsize)
        let size = ["data.db", "auxiliary.db"].map { fileSize("\(folder)/\($0)") }.reduce(0, +)
        let text = "\(Self.bytes(free)) free on the disk of \(folder); the databases have \(Self.bytes(size))."
        let advice = "Free disk space, or move the data folder to a larger disk."
        if free < 64 << 20 || status.f_favail == 0 { return [.error("disk", text, advice)] }
        // A backup needs about as much as the data.
        if free < max(512 << 20, size) { return [.warning("disk", text, advice)] }
        return [.ok("disk", text)]
    }

    private func leftovers() -> [Finding] {
        var findings: [Finding] = []
        for name in FileSystem.names(in: folder).sorted() {
            if name.hasSuffix("-journal") {
                findings.append(
                    .warning(
                        "journals", "\(folder)/\(name) is the journal of a change that was interrupted.",
                        "Leave it: SQLite undoes the change with it at the next start. Copies of the folder need it."))
            } else if ["_roost_restore", "_roost_backup"].contains(name), serverState == nil,
                !FileSystem.names(in: "\(folder)/\(name)").isEmpty
            {
                findings.append(
                    .warning(
                        "journals", "\(folder)/\(name) is left of an interrupted backup or restore.",
                        "Leave it and start the server, which finishes the work or removes what is left."))
            } else if name == ".pb_temp_to_delete", !FileSystem.names(in: "\(folder)/\(name)").isEmpty,
                serverState == nil
            {
                findings.append(
                    .warning(
                        "journals", "\(folder)/\(name) is left of an interrupted backup or restore.",
                        "Start the server once; if the folder stays and the data is whole, it can be deleted."))
            }
        }
        return findings.isEmpty ? [.ok("journals", "Nothing is left of interrupted work.")] : findings
    }

    func fileSize(_ path: String) -> Int {
        var status = stat()
        return stat(path, &status) == 0 ? Int(status.st_size) : 0
    }

    static func reason(_ code: Int32 = errno) -> String { String(cString: strerror(code)) }

    static func bytes(_ count: Int) -> String {
        var value = Double(count)
        for unit in ["bytes", "KiB", "MiB"] {
            if value < 1024 { return "\(unit == "bytes" ? "\(count)" : oneDecimal(value)) \(unit)" }
            value /= 1024
        }
        return "\(oneDecimal(value)) GiB"
    }

    private static func oneDecimal(_ value: Double) -> String {
        let tenths = Int((value * 10).rounded())
        return "\(tenths / 10).\(tenths % 10)"
    }
}
