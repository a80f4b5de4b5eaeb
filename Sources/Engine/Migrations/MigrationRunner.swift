import Store

/// Applies and takes back the migrations of a folder, and keeps the table `_migrations` as PocketBase keeps it. What the
/// engine itself brings (``Bootstrap/migrations``) is applied when the data folder is opened, and never taken back.
///
/// For example:
///
///     let runner = MigrationRunner(engine: engine, folder: MigrationFolder("pb_migrations"))
///     for file in try runner.up().applied { print("Applied \(file)") }
package struct MigrationRunner: Sendable {
    package let folder: MigrationFolder
    private let engine: Engine

    package init(engine: Engine, folder: MigrationFolder) {
        self.engine = engine
        self.folder = folder
    }

    /// What a run did.
    package struct Outcome: Sendable {
        /// The files applied, in order.
        package var applied: [String] = []
        /// The files that wait, because the first of them cannot be run here and the others may build on it.
        package var waiting: [String] = []
        /// Why they wait.
        package var reason: MigrationError?
    }

    /// The files that were not applied yet, in order.
    package func pending() throws -> [String] {
        let applied = try engine.data.read { Set(try $0.rows("SELECT file FROM _migrations").map(\.[0].textValue)) }
        return folder.files.filter { !applied.contains($0) }
    }

    /// Applies what is pending, all in one transaction: either all of it is in force afterwards or nothing.
    ///
    /// - Returns: what was applied, and what has to wait for a scripting plugin.
    /// - Throws: ``MigrationError``; then nothing was changed.
    package func up() throws -> Outcome {
        var outcome = Outcome()
        var programs: [(file: String, program: any MigrationProgram)] = []
        let pending = try pending()
        for (index, file) in pending.enumerated() {
            do {
                programs.append((file, try folder.program(file)))
            } catch let error as MigrationError where error.needsScripting {
                outcome.reason = error
                outcome.waiting = Array(pending[index...])
                break
            }
        }
        if programs.isEmpty { return outcome }
        outcome.applied = try engine.data.writeAndWait { transaction in
            var applied: [String] = []
            for (file, program) in programs where try !isApplied(file, transaction) {
                try attempt("failed to apply migration \(file)", transaction) { try program.up($0) }
                try transaction.connection.run(
                    "INSERT INTO _migrations (file, applied) VALUES (?1, ?2)",
                    [.text(file), .integer(Timestamp.microseconds())])
                applied.append(file)
            }
            try engine.readCollections(in: transaction)
            return applied
        }
        return outcome
    }

    /// The files that were applied last, the latest first.
    ///
    /// - Parameter count: how many; all when it is negative.
    package func lastApplied(_ count: Int) throws -> [String] {
        let files = Set(folder.files)
        // Old PocketBases kept seconds and newer ones microseconds.
        let rows = try engine.data.read {
            try $0.rows(
                """
                SELECT file FROM _migrations WHERE applied IS NOT NULL
                ORDER BY substr(applied || '0000000000000000', 0, 17) DESC, file DESC
                """)
        }
        let known = rows.compactMap(\.[0].textValue).filter(files.contains)
        return count < 0 ? known : Array(known.prefix(count))
    }

    /// Takes back the migrations that were applied last, in one transaction.
    ///
    /// - Parameter count: how many; all when it is negative.
    /// - Returns: the files taken back, in order.
    /// - Throws: ``MigrationError``; then nothing was changed.
    package func down(_ count: Int = 1) throws -> [String] {
        let programs = try lastApplied(count).map { ($0, try folder.program($0)) }
        if programs.isEmpty { return [] }
        return try engine.data.writeAndWait { transaction in
            for (file, program) in programs {
                try attempt("failed to revert migration \(file)", transaction) { try program.down($0) }
                try transaction.connection.run("DELETE FROM _migrations WHERE file = ?1", [.text(file)])
            }
            try engine.readCollections(in: transaction)
            return programs.map(\.0)
        }
    }

    /// Forgets the applied migrations whose files are gone.
    package func syncHistory() throws {
        let kept = Set(Bootstrap.migrations + folder.files)
        try engine.data.writeAndWait { transaction in
            let rows = try transaction.connection.rows("SELECT file FROM _migrations")
            for file in rows.compactMap(\.[0].textValue) where !kept.contains(file) {
                try transaction.connection.run("DELETE FROM _migrations WHERE file = ?1", [.text(file)])
            }
        }
    }

    private func isApplied(_ file: String, _ transaction: Transaction) throws -> Bool {
        try transaction.connection.firstRow("SELECT 1 FROM _migrations WHERE file = ?1", [.text(file)]) != nil
    }

    private func attempt(
        _ failure: String, _ transaction: Transaction, _ body: (MigrationContext) throws -> Void
    ) throws {
        do {
            try transaction.savepoint { try body(MigrationContext(engine: engine, transaction: transaction)) }
        } catch {
            throw MigrationError("\(failure): \(MigrationError.reason(error))")
        }
    }
}
