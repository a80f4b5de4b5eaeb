import JSON
import Store

extension CollectionValidator {
    /// What is wrong with the indexes: with one of them by its position, or with all together.
    func indexesFailure() throws -> FailureTree? {
        if draft.knownType == .view, !draft.indexes.isEmpty {
            return .failure(
                FieldFailure("validation_indexes_not_supported", "View collections don't support indexes.")
            )
        }
        return try definitionFailure() ?? systemIndexFailure() ?? requiredIndexFailure()
    }

    private func definitionFailure() throws -> FailureTree? {
        var names: Set<String> = []
        var definitions: Set<String> = []
        for (position, sql) in draft.indexes.enumerated() {
            func fail(_ failure: FieldFailure) -> FailureTree { .nested([String(position): .failure(failure)]) }
            var index = IndexDefinition(sql)
            // The table's name is always the collection's, whatever the statement says.
            index.table = "validator"
            guard index.isValid else { return fail(.invalidIndex) }
            if !names.insert(index.name.lowercased()).inserted {
                return fail(FieldFailure("validation_duplicated_index_name", "The index name already exists."))
            }
            if let table = try tableUsing(index.name) {
                return fail(
                    FieldFailure(
                        "validation_existing_index_name", "The index name is already used in \(table) collection.",
                        params: ["usedTableName": .string(table)]
                    )
                )
            }
            index.schemaName = "validator"
            index.name = "validator"
            if !definitions.insert(index.statement).inserted {
                return fail(
                    FieldFailure("validation_duplicated_index_definition", "The index definition already exists.")
                )
            }
        }
        return nil
    }

    /// Another collection's table that has an index of that name: SQLite's index names are unique over all tables.
    private func tableUsing(_ index: String) throws -> String? {
        try connection.firstRow(
            """
            SELECT tbl_name FROM sqlite_master WHERE type = 'index' AND LOWER(name) = LOWER(?1) \
            AND LOWER(tbl_name) != LOWER(?2) AND LOWER(tbl_name) != LOWER(?3) LIMIT 1
            """,
            [.text(index), .text(original?.name ?? ""), .text(draft.name)]
        )?[0].textValue
    }

    /// A unique index over a system field must stay, though not its name, condition, collation or order.
    private func systemIndexFailure() -> FailureTree? {
        func core(_ index: IndexDefinition) -> IndexDefinition {
            var index = index
            for position in index.columns.indices {
                index.columns[position].collation = ""
                index.columns[position].order = ""
            }
            return index
        }
        guard let original else { return nil }
        let system = Set(original.fields.filter(\.system).map { $0.name.lowercased() })
        for sql in original.indexes {
            let old = core(IndexDefinition(sql))
            guard old.isUnique, let column = old.columns.first(where: { system.contains($0.name.lowercased()) })
            else { continue }
            let isKept = draft.indexes.contains { sql in
                var new = core(IndexDefinition(sql))
                new.schemaName = old.schemaName
                new.name = old.name
                new.table = old.table
                new.condition = old.condition
                return new.statement == old.statement
            }
            if isKept { continue }
            let name = original.fields.first { $0.name.lowercased() == column.name.lowercased() }?.name ?? column.name
            return .failure(
                FieldFailure(
                    "validation_invalid_unique_system_field_index",
                    "Unique index definition on system fields (\(name)) is invalid or missing.",
                    params: ["fieldName": .string(name)]
                )
            )
        }
        return nil
    }

    private func requiredIndexFailure() -> FailureTree? {
        guard draft.knownType == .auth else { return nil }
        for name in ["tokenKey", "email"] where IndexDefinition.uniqueIndex(on: name, in: draft.indexes) == nil {
            return .failure(
                FieldFailure(
                    "validation_missing_required_unique_index",
                    "Missing required unique index for field \"\(name)\".", params: ["fieldName": .string(name)]
                )
            )
        }
        return nil
    }
}
