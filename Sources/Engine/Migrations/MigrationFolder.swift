import Glibc

/// The operator's migrations: the files of `pb_migrations` that end in `.js`, `.ts` or `.sql`, in the order of their
/// names.
package struct MigrationFolder: Sendable {
    package let path: String
    private let scripts: (any MigrationScripts)?

    /// The largest file that is read, in bytes.
    private static let sizeLimit = 64 << 20

    /// - Parameter scripts: runs what is more than a change of collections; nil when no plugin does.
    package init(_ path: String, scripts: (any MigrationScripts)? = nil) {
        self.path = path
        self.scripts = scripts
    }

    /// The names of the files.
    package var files: [String] {
        FileSystem.names(in: path).filter { name in
            let isMigration = [".js", ".ts", ".sql"].contains { name.hasSuffix($0) }
            var status = stat()
            // Links are followed, as PocketBase does.
            return isMigration && stat("\(path)/\(name)", &status) == 0 && status.st_mode & S_IFMT == S_IFREG
        }
        .sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    }

    /// Reads what a file does.
    ///
    /// - Throws: ``MigrationError`` when it cannot be read or is none that can be run here.
    package func program(_ file: String) throws -> any MigrationProgram {
        guard let bytes = FileSystem.read("\(path)/\(file)", limit: Self.sizeLimit) else {
            throw MigrationError("the migration \(path)/\(file) cannot be read: \(String(cString: strerror(errno)))")
        }
        guard let source = String(validating: bytes, as: UTF8.self) else {
            throw MigrationError("the migration \(path)/\(file) is not UTF-8 text")
        }
        if file.hasSuffix(".sql") { return try SQLMigration(source, file: file) }
        if let migration = CollectionScriptReader.read(source) { return migration }
        guard let scripts else {
            throw MigrationError(
                "the migration \(path)/\(file) is a program, and no plugin that runs JavaScript is installed. Install "
                    + "one, or write the migration as a .sql file.", needsScripting: true)
        }
        return try scripts.program(file: file, source: source)
    }
}
