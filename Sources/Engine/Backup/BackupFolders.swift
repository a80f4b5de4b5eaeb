/// The data folder as backups see it.
struct BackupFolders: Sendable {
    let dataDirectory: String

    /// Where backups lie, as PocketBase has it.
    var backups: String { dataDirectory + "/backups" }
    /// Archives that are being written.
    var making: String { dataDirectory + "/_roost_backup" }
    /// What is being restored.
    var restoring: String { dataDirectory + "/_roost_restore" }

    /// Whether an entry of the data folder is data: what is backed up, and what a restore replaces.
    static func isData(_ name: String) -> Bool {
        switch name {
        case "backups", ".pb_temp_to_delete", ".notify", ".autocert_cache", "lost+found": false
        default: !name.hasPrefix("_roost_")
        }
    }

    /// Files that SQLite makes anew, that the frozen databases take the place of, or whose lines of the log are to come
    /// into the database.
    static func isSideFile(_ name: String) -> Bool {
        LogSpool.isSpool(name)
            || [
                "data.db-wal", "data.db-shm", "auxiliary.db-wal", "auxiliary.db-shm", "data.db-journal",
                "auxiliary.db-journal",
            ]
            .contains(name)
    }
}
