import Engine
import Glibc
import JSON
import PluginHost
import Store

extension Doctor {
    func databases() -> [Finding] {
        var findings: [Finding] = []
        for name in ["data.db", "auxiliary.db"] { findings += database(name) }
        return findings
    }

    private func database(_ name: String) -> [Finding] {
        let path = "\(folder)/\(name)"
        guard access(path, F_OK) == 0 else {
            if name == "data.db", !FileSystem.names(in: folder).isEmpty {
                return [
                    .error(
                        "database", "\(path) is missing in a folder that is not empty.",
                        "Name the right folder with --dir, or restore a backup; `roost serve` would make a new database."
                    )
                ]
            }
            return []
        }
        var findings: [Finding] = []
        do {
            // Without a log nothing may be made beside the file of a folder that only is looked at.
            let hasLog = fileSize(path + "-wal") > 0
            let connection = try Connection(path: path, access: hasLog || serverState != nil ? .readOnly : .immutable)
            defer { connection.close() }
            let problems = try connection.rows("PRAGMA quick_check(5)").compactMap(\.[0].textValue)
            if problems == ["ok"] {
                findings.append(.ok("integrity", "\(path) is sound (\(Self.bytes(fileSize(path))))."))
            } else {
                findings.append(damaged(path, problems.joined(separator: "; ")))
            }
            if name == "data.db" { findings += content(connection) }
        } catch let error as StoreError where error.isCorrupt {
            findings.append(damaged(path, error.message))
        } catch {
            findings.append(
                .error("database", "\(path) cannot be read: \(error).", "See that the file belongs to this user."))
        }
        findings += log(path)
        if name == "auxiliary.db" { findings += spool(path) }
        return findings
    }

    private func damaged(_ path: String, _ reason: String) -> Finding {
        .error(
            "integrity", "\(path) is damaged: \(reason)",
            "Stop the server, copy the whole folder, and restore the latest backup. Without one, "
                + "`sqlite3 \(path) .recover` saves what can be read.")
    }

    private func log(_ path: String) -> [Finding] {
        let size = fileSize(path + "-wal")
        let text = "The write-ahead log of \(path) has \(Self.bytes(size))"
        if size > 256 << 20 {
            return [
                .warning(
                    "wal", "\(text).",
                    "A long read or a program that has the file open keeps it from being emptied: find it with "
                        + "`fuser \(path)`, or restart the server.")
            ]
        }
        if size > 0, serverState == nil {
            return [
                .warning(
                    "wal", "\(text), and no server runs: the last one was ended by force.",
                    "Start the server, which takes the log in. Never delete the file: it holds the latest writes.")
            ]
        }
        return size > 0 ? [.ok("wal", "\(text).")] : []
    }

    private func spool(_ path: String) -> [Finding] {
        let size = LogWriter.spooledBytes(beside: path)
        guard size > 0 else { return [] }
        let when = serverState == nil ? "by the next start" : "when the server has time for it"
        return [.ok("log-lines", "\(Self.bytes(size)) of log lines wait beside \(path) and are inserted \(when).")]
    }

    // MARK: - What is in data.db

    private func content(_ connection: Connection) -> [Finding] {
        do {
            return try versions(connection) + settings(connection) + fieldTypes(connection) + migrations(connection)
                + superusers(connection)
        } catch {
            return [
                .error(
                    "database", "\(folder)/data.db is no data of PocketBase or Roost: \(error).",
                    "Name the right data folder with --dir.")
            ]
        }
    }

    private func versions(_ connection: Connection) throws -> [Finding] {
        let applied = try connection.rows("SELECT file FROM _migrations").compactMap(\.[0].textValue)
        let unknown = applied.filter { $0.hasSuffix(".go") && !Bootstrap.migrations.contains($0) }
        if !unknown.isEmpty {
            return [
                .warning(
                    "data-version",
                    "The folder was used by a program that knows more than this one: \(unknown.joined(separator: ", ")).",
                    "Update roost, or ask the makers of the program what these migrations did.")
            ]
        }
        if Bootstrap.migrations.allSatisfy(applied.contains) {
            return [.ok("data-version", "The data is as PocketBase 0.40 has it.")]
        }
        if !applied.contains("1717233556_v0.23_migrate.go") {
            return [
                .error(
                    "data-version", "The folder was made by a PocketBase older than 0.23.",
                    "Start it once with PocketBase 0.23 or later, which upgrades it.")
            ]
        }
        return [.ok("data-version", "The data is of an older PocketBase; the next start brings it up to date.")]
    }

    private func settings(_ connection: Connection) throws -> [Finding] {
        do {
            _ = try SettingsStore().load(connection, encryptionKey: configuration.encryptionKey)
            return [.ok("settings", "The settings can be read.")]
        } catch {
            return [
                .error(
                    "settings", "The settings cannot be read: \(error)",
                    "Give the name of the variable with their key: --encryptionEnv NAME")
            ]
        }
    }

    private func fieldTypes(_ connection: Connection) throws -> [Finding] {
        let installed = installedFieldTypes
        var missing: [String: [String]] = [:]
        for row in try connection.rows("SELECT name, fields, type FROM _collections ORDER BY name") {
            guard row[2].textValue != "view", let name = row[0].textValue, let text = row[1].textValue,
                let fields = (try? JSONParser.parse(text))?.arrayValue
            else { continue }
            for type in Set(fields.compactMap { $0["type"]?.stringValue }) where !installed.contains(type) {
                missing[type, default: []].append(name)
            }
        }
        if missing.isEmpty { return [.ok("field-types", "The types of all fields are installed.")] }
        return missing.keys.sorted().map { type in
            let names = (missing[type] ?? []).joined(separator: ", ")
            return .error(
                "field-types", "No plugin brings the field type \"\(type)\", which these collections have: \(names).",
                "Install and enable the plugin (`roost plugin list` shows those that are there). Until then these "
                    + "collections are closed; nothing of them is lost.")
        }
    }

    private func migrations(_ connection: Connection) throws -> [Finding] {
        let applied = Set(try connection.rows("SELECT file FROM _migrations").compactMap(\.[0].textValue))
        let migrations = MigrationFolder(configuration.migrationsFolder)
        let pending = migrations.files.filter { !applied.contains($0) }
        if pending.isEmpty { return [.ok("migrations", "All migrations are applied.")] }
        for file in pending {
            do {
                _ = try migrations.program(file)
            } catch {
                return [
                    .error(
                        "migrations", "The migration \(file) and those after it are not applied: \(error)",
                        "Mend the file, or install what it needs.")
                ]
            }
        }
        return [
            .warning(
                "migrations", "\(pending.count) migrations are not applied yet, the first is \(pending[0]).",
                "Run `roost migrate up`; the next start of the server applies them too.")
        ]
    }

    private func superusers(_ connection: Connection) throws -> [Finding] {
        let count = try connection.scalar(
            "SELECT COUNT(*) FROM `_superusers` WHERE `email` != '__pbinstaller@example.com'")
        if (count?.intValue ?? 0) > 0 { return [] }
        return [
            .warning(
                "superusers", "There is no superuser.",
                "Make one: roost superuser upsert EMAIL PASSWORD --dir \(folder)")
        ]
    }
}
