package import Store

/// Makes the table of a collection what its fields say.
///
/// Everything happens on the connection's running transaction; after an error the caller rolls back, so that a change
/// of a table takes place wholly or not at all.
package struct TableSync {
    private let connection: Connection

    package init(_ connection: Connection) {
        self.connection = connection
    }

    /// Creates or changes the table and its indexes.
    ///
    /// - Parameters:
    ///   - new: the collection as it is to be; a view has no table, nothing happens.
    ///   - old: the collection as it is; nil when it is new.
    /// - Throws: the failures of indexes under `indexes`; any other refusal of SQLite in its words.
    package func sync(_ new: Collection, from old: Collection?) throws(CollectionError) {
        guard !new.isView else { return }
        do {
            if let old, try connection.hasTable(old.name) {
                try change(old, to: new)
            } else {
                try create(new)
            }
        } catch {
            throw CollectionError(error)
        }
        // As SQLite recommends after a change of schema (sqlite.org/pragma.html#pragma_optimize); limited, because the
        // writer waits for it.
        try? connection.execute("PRAGMA analysis_limit=400; PRAGMA optimize")
    }

    /// The statement that creates a collection's table: its columns sorted by name.
    package static func createStatement(_ collection: Collection) -> String {
        let columns = collection.fields
            .sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
            .map { SQLName.quote($0.name) + " " + $0.shape.column }
        return "CREATE TABLE \(SQLName.quote(collection.name)) (\(columns.joined(separator: ", ")))"
    }

    private func create(_ collection: Collection) throws {
        try connection.execute(Self.createStatement(collection))
        try createIndexes(collection)
    }

    private func change(_ old: Collection, to new: Collection) throws {
        let isRenamed = old.name.lowercased() != new.name.lowercased()
        let changesIndexes =
            isRenamed || old.indexes != new.indexes
            || CollectionCodec.fieldsColumn(old) != CollectionCodec.fieldsColumn(new)
        if changesIndexes { try dropIndexes(old) }
        if isRenamed {
            try connection.execute("ALTER TABLE \(SQLName.quote(old.name)) RENAME TO \(SQLName.quote(new.name))")
        }
        let table = SQLName.quote(new.name)
        for field in old.fields where new.field(id: field.id) == nil {
            try explain("failed to drop column \(field.name)") { () throws(StoreError) in
                try connection.execute("ALTER TABLE \(table) DROP COLUMN \(SQLName.quote(field.name))")
            }
        }
        try addAndRenameColumns(old, new)
        for field in new.fields {
            let wasMultiple = old.field(id: field.id)?.shape.isMultiple ?? false
            if wasMultiple != field.shape.isMultiple { try moveValues(of: field, in: new.name) }
        }
        if changesIndexes { try createIndexes(new) }
    }

    /// New and renamed columns first get a name that nothing else has, so that two fields may swap their names.
    private func addAndRenameColumns(_ old: Collection, _ new: Collection) throws {
        let table = SQLName.quote(new.name)
        var renames: [(from: String, to: String)] = []
        for field in new.fields {
            let temporary = field.name + RandomText.make(5)
            if let before = old.field(id: field.id) {
                guard before.name != field.name else { continue }
                try explain("failed to rename column \(before.name)") { () throws(StoreError) in
                    try rename(table, before.name, temporary)
                }
            } else {
                try explain("failed to add column \(field.name)") { () throws(StoreError) in
                    try connection.execute(
                        "ALTER TABLE \(table) ADD \(SQLName.quote(temporary)) \(field.shape.column)"
                    )
                }
            }
            renames.append((temporary, field.name))
        }
        for (from, to) in renames { try rename(table, from, to) }
    }

    private func rename(_ table: String, _ from: String, _ to: String) throws(StoreError) {
        try connection.execute("ALTER TABLE \(table) RENAME COLUMN \(SQLName.quote(from)) TO \(SQLName.quote(to))")
    }

    /// Gives a field that became a list, or ceased to be one, a column of the other kind and moves its values: one value
    /// becomes a list of one, of a list the last member stays.
    private func moveValues(of field: Field, in table: String) throws {
        // Renaming a column fails while any view refers to something that is not there.
        let views = try connection.rows("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL AND type = 'view'")
        for view in views { try connection.execute("DROP VIEW IF EXISTS \(SQLName.quote(view[0].textValue ?? ""))") }
        let quotedTable = SQLName.quote(table)
        let temporary = "_" + field.name + RandomText.make(5)
        try rename(quotedTable, field.name, temporary)
        let column = SQLName.quote(field.name)
        try connection.execute("ALTER TABLE \(quotedTable) ADD \(column) \(field.shape.column)")
        let old = SQLName.quote(temporary)
        let isList = "json_valid(\(old)) AND json_type(\(old)) = 'array'"
        let value =
            field.shape.isMultiple
            ? """
            CASE WHEN COALESCE(\(old), '') = '' THEN '[]' \
            WHEN \(isList) THEN \(old) ELSE json_array(\(old)) END
            """
            : """
            CASE WHEN COALESCE(\(old), '[]') = '[]' THEN '' \
            WHEN \(isList) THEN COALESCE(json_extract(\(old), '$[#-1]'), '') ELSE \(old) END
            """
        try connection.execute("UPDATE \(quotedTable) SET \(column) = (\(value))")
        try connection.execute("ALTER TABLE \(quotedTable) DROP COLUMN \(old)")
        for view in views { try connection.execute(view[1].textValue ?? "") }
    }

    private func dropIndexes(_ collection: Collection) throws {
        for sql in collection.indexes {
            let name = IndexDefinition(sql).name
            if name.isEmpty {
                throw CollectionError.refused("failed to dop index - missing index name: \(sql)")
            }
            try connection.execute("DROP INDEX IF EXISTS \(SQLName.quote(name))")
        }
    }

    private func createIndexes(_ collection: Collection) throws {
        var failures: [String: FailureTree] = [:]
        for (position, sql) in collection.indexes.enumerated() {
            var index = IndexDefinition(sql)
            index.table = collection.name
            guard index.isValid else {
                failures[String(position)] = .failure(.invalidIndex)
                continue
            }
            do {
                try connection.executeSingle(index.statement)
            } catch {
                failures[String(position)] = .failure(
                    FieldFailure(
                        "validation_invalid_index_expression",
                        "Failed to create index \(index.name) - \(error.sqliteText)."
                    )
                )
            }
        }
        if !failures.isEmpty { throw CollectionError.invalid(["indexes": .nested(failures)]) }
    }

    private func explain(_ what: String, _ body: () throws(StoreError) -> Void) throws(CollectionError) {
        do {
            try body()
        } catch {
            throw .refused("\(what) - \(error.sqliteText)")
        }
    }
}

extension FieldFailure {
    static let invalidIndex = FieldFailure("validation_invalid_index_expression", "Invalid CREATE INDEX expression.")
}
