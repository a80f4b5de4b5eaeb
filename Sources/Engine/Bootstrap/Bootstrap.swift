package import Store

/// Makes a new data folder's databases, or brings those of an older PocketBase to the state that PocketBase itself would
/// bring them to. A folder that is up to date is not written to.
package struct Bootstrap: Sendable {
    package let environment: SchemaEnvironment

    package init(_ environment: SchemaEnvironment) {
        self.environment = environment
    }

    /// Why a folder cannot be used; a sentence for the operator.
    package struct Failure: Error, Sendable, CustomStringConvertible {
        package let description: String
    }

    /// The migrations of PocketBase 0.40 in their order, as `_migrations.file` names them.
    package static let migrations = [
        "1640988000_aux_init.go", "1640988000_init.go", "1717233556_v0.23_migrate.go", "1717233557_v0.23_migrate2.go",
        "1717233558_v0.23_migrate3.go", "1717233559_v0.23_migrate4.go",
        "1763020353_update_default_auth_alert_templates.go", "1778828400_normalize_indexes.go",
    ]

    /// Whether `prepareData` would write to the folder.
    ///
    /// - Parameter connection: to `data.db`; it is only read.
    package func needsWork(_ connection: Connection) throws -> Bool {
        guard try connection.hasTable("_collections"), try connection.hasTable("_migrations"),
            try connection.hasTable("_params")
        else { return true }
        let applied = try Self.applied(connection)
        return try Self.migrations.contains { !applied.contains($0) } || lacksSettings(connection)
    }

    /// Makes or upgrades `data.db`.
    ///
    /// - Parameters:
    ///   - connection: the connection of a write transaction, rolled back by the caller when this throws.
    ///   - settings: the settings of a new folder, encrypted if the operator wants them so.
    package func prepareData(_ connection: Connection, settings: String = DefaultSettings.json) throws {
        let isNew = try !connection.hasTable("_collections")
        if !isNew { try refuseOldFolder(connection) }
        try connection.execute(SystemTables.migrations)
        let applied = try Self.applied(connection)
        let steps = MigrationSteps(environment: environment, connection: connection)
        for file in Self.migrations where !applied.contains(file) {
            do {
                try run(file, steps, isNew: isNew)
            } catch {
                throw Failure(description: "failed to apply migration \(file): \(CollectionError(error).text)")
            }
            try connection.run(
                "INSERT INTO _migrations (file, applied) VALUES (?1, ?2)",
                [.text(file), .integer(Timestamp.microseconds())]
            )
        }
        if try lacksSettings(connection) {
            let now = Timestamp.now()
            try connection.run(
                "INSERT INTO _params (id, value, created, updated) VALUES ('settings', ?1, ?2, ?2)",
                [.text(settings), .text(now)]
            )
        }
    }

    /// Makes `auxiliary.db`'s tables where they are missing.
    ///
    /// - Parameter connection: the connection of a write transaction.
    package func prepareAuxiliary(_ connection: Connection) throws {
        if try connection.hasTable("_logs") { return }
        for statement in SystemTables.logs { try connection.execute(statement) }
    }

    private func run(_ file: String, _ steps: MigrationSteps, isNew: Bool) throws {
        switch file {
        case "1640988000_init.go": if isNew { try create(steps) }
        case "1717233557_v0.23_migrate2.go": try steps.resetDeleteRules()
        case "1717233558_v0.23_migrate3.go": try steps.nameSystemIDs()
        case "1717233559_v0.23_migrate4.go": try steps.addSentTo()
        case "1763020353_update_default_auth_alert_templates.go": try steps.updateAlertTemplates()
        case "1778828400_normalize_indexes.go": try steps.normaliseIndexes()
        // The logs' table belongs to the other database; the step from 0.22 has nothing to do in a new folder.
        default: break
        }
    }

    private func create(_ steps: MigrationSteps) throws {
        let missing = SystemCollections.requiredTypes.filter { environment.types[$0] == nil }
        if !missing.isEmpty {
            throw Failure(
                description: "a new folder needs the field types \(missing.joined(separator: ", ")), which no plugin "
                    + "provides"
            )
        }
        try steps.connection.execute(SystemTables.params)
        try steps.connection.execute(SystemTables.collections)
        try steps.connection.execute(SystemTables.collectionsIndex)
        var store = try steps.store()
        for var draft in SystemCollections(types: environment.types).all {
            draft.prepare(schema: store.schema, types: environment.types)
            _ = try store.execute(draft)
        }
    }

    private func refuseOldFolder(_ connection: Connection) throws {
        let columns = try connection.rows("SELECT name FROM pragma_table_info('_collections')").compactMap(
            \.[0].textValue)
        let isApplied =
            try connection.hasTable("_migrations") && Self.applied(connection).contains("1717233556_v0.23_migrate.go")
        guard columns.contains("fields"), isApplied else {
            throw Failure(
                description: "the data folder was made by a PocketBase older than 0.23; start it once with PocketBase "
                    + "0.23 or later, which upgrades it, and then with Roost"
            )
        }
    }

    private func lacksSettings(_ connection: Connection) throws -> Bool {
        try connection.firstRow("SELECT 1 FROM _params WHERE id = 'settings'") == nil
    }

    private static func applied(_ connection: Connection) throws -> Set<String> {
        Set(try connection.rows("SELECT file FROM _migrations").compactMap(\.[0].textValue))
    }
}
