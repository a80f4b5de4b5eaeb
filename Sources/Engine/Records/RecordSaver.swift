import JSON
package import Store

/// Failures of a record's fields, before they become an answer.
package struct ValidationFailures: Error, Sendable {
    package var failures: [String: FieldFailure]
    package init(_ failures: [String: FieldFailure]) { self.failures = failures }
}

/// The write pipeline of one record: generate, validate, hash, write, clean up.
///
/// `prepare` touches nothing and may run on any thread with a reading connection; `write` and `delete` run inside a
/// transaction. With handlers on the model events, everything runs inside the transaction.
package struct RecordSaver {
    package let schema: Schema
    package let hooks: HookRegistry

    package init(schema: Schema, hooks: HookRegistry) {
        self.schema = schema
        self.hooks = hooks
    }

    // MARK: - Saving

    /// Whether the record's whole way must go inside the transaction, because somebody listens.
    package var needsTransaction: Bool { hooks.hasModelHandlers }

    /// Lets the field types fill in, checks every field, and lets the types do what comes before the write.
    /// - Throws: `ValidationFailures`; `ServiceError` when a plugin is missing or refuses.
    package func prepare(_ record: Record, on connection: Connection, validates: Bool = true) throws {
        try refuseMissing(record.collection)
        let isNew = record.isNew
        try intercept(isNew ? .beforeValidateCreate : .beforeValidateUpdate, record, connection)
        if validates { try validate(record, on: connection) }
        try intercept(isNew ? .beforeCreate : .beforeUpdate, record, connection)
    }

    /// Gives a new record its id ahead of the rest, for what has to be stored under it first.
    package func fillInID(of record: Record, on connection: Connection) throws {
        guard record.isNew, record.id.isEmpty, let index = record.collection.index(of: "id") else { return }
        let field = record.collection.fields[index]
        guard field.shape.moments.contains(.beforeValidateCreate) else { return }
        try field.instance.intercept(
            .beforeValidateCreate,
            in: FieldContext(record: record, field: field, index: index, schema: schema, connection: connection))
    }

    /// Writes a prepared record and arranges what follows the commit.
    /// - Throws: `ValidationFailures` when a unique index refuses.
    package func write(_ record: Record, in transaction: Transaction) throws {
        let isNew = record.isNew
        if record.collection.isAuth {
            try AuthRecordRules.beforeWrite(record, saver: self, transaction: transaction)
        }
        try hooks.files?.willWrite(record, in: transaction)
        do {
            if isNew { try insert(record, transaction.connection) } else { try update(record, transaction.connection) }
        } catch let error as StoreError {
            throw Self.failures(of: error, record.collection) ?? error
        }
        if record.collection.isAuth { try AuthRecordRules.afterWrite(record, saver: self, transaction: transaction) }
        let before = record.original
        record.original = record.values
        transaction.afterRollback { record.original = before }
        try hooks.changes.post(isNew ? .create : .update, record, transaction)
        after(isNew ? .afterCreate : .afterUpdate, isNew ? .failedCreate : .failedUpdate, record, transaction)
    }

    /// Prepares and writes inside a transaction, with the model events around it.
    package func save(_ record: Record, in transaction: Transaction, validates: Bool = true) throws {
        guard hooks.hasModelHandlers else {
            try prepare(record, on: transaction.connection, validates: validates)
            return try write(record, in: transaction)
        }
        let collection = record.collection
        let isNew = record.isNew
        try refuseMissing(collection)
        let connection = transaction.connection
        try hooks.trigger(
            isNew ? .recordCreate : .recordUpdate, collection: collection, record: record, transaction: transaction
        ) {
            try intercept(isNew ? .beforeValidateCreate : .beforeValidateUpdate, record, connection)
            if validates {
                try hooks.trigger(
                    .recordValidate, collection: collection, record: record, transaction: transaction
                ) { try validate(record, on: connection) }
            }
            try hooks.trigger(
                isNew ? .recordCreateExecute : .recordUpdateExecute, collection: collection, record: record,
                transaction: transaction
            ) {
                try intercept(isNew ? .beforeCreate : .beforeUpdate, record, connection)
                try write(record, in: transaction)
            }
        }
    }

    /// The events after a commit or a failure, for records whose save had handlers.
    package func finished(_ record: Record, wasNew: Bool, failed: Bool) throws {
        let name: HookName =
            switch (wasNew, failed) {
            case (true, false): .recordAfterCreateSuccess
            case (true, true): .recordAfterCreateError
            case (false, false): .recordAfterUpdateSuccess
            case (false, true): .recordAfterUpdateError
            }
        try hooks.trigger(name, collection: record.collection, record: record) {}
    }

    private func validate(_ record: Record, on connection: Connection) throws {
        var failures: [String: FieldFailure] = [:]
        for (index, field) in record.collection.fields.enumerated() {
            let context = FieldContext(
                record: record, field: field, index: index, schema: schema, connection: connection)
            if let failure = field.instance.validate(record.values[index], in: context) {
                failures[field.name] = failure
            }
        }
        if failures.isEmpty, record.collection.system {
            failures = try AuthRecordRules.companionFailures(record, schema: schema, connection: connection)
        }
        if !failures.isEmpty { throw ValidationFailures(failures) }
    }

    private func intercept(_ moment: RecordMoments, _ record: Record, _ connection: Connection) throws {
        for (index, field) in record.collection.fields.enumerated() where field.shape.moments.contains(moment) {
            try field.instance.intercept(
                moment,
                in: FieldContext(record: record, field: field, index: index, schema: schema, connection: connection))
        }
    }

    private func after(
        _ success: RecordMoments, _ failure: RecordMoments, _ record: Record, _ transaction: Transaction
    ) {
        let connection = transaction.connection
        let wanted = record.collection.fields.contains { !$0.shape.moments.isDisjoint(with: [success, failure]) }
        guard wanted else { return }
        transaction.afterCommit { try? intercept(success, record, connection) }
        transaction.afterRollback { try? intercept(failure, record, connection) }
    }

    /// A collection one of whose types is not installed cannot be written: nothing of it would be checked.
    package func refuseMissing(_ collection: Collection) throws {
        let missing = collection.missingTypes
        guard !missing.isEmpty else { return }
        throw ServiceError.badRequest(
            "The collection \"\(collection.name)\" needs the field type \(missing.map { "\"\($0)\"" }.joined(separator: ", ")), "
                + "whose plugin is not installed.")
    }

    private func insert(_ record: Record, _ connection: Connection) throws {
        let statement = try connection.prepare(record.collection.statements.insert)
        defer { statement.finish() }
        for (index, value) in record.values.enumerated() { try statement.bind(value, at: index + 1) }
        _ = try statement.step()
    }

    /// Writes the columns that changed; a row that is gone meanwhile is an error.
    private func update(_ record: Record, _ connection: Connection) throws {
        let collection = record.collection
        guard let original = record.original, let id = collection.index(of: "id") else { return }
        let changed = record.values.indices.filter { record.values[$0] != original[$0] }
        guard !changed.isEmpty else { return }
        let sets = changed.map { "\(SQLName.quote(collection.fields[$0].name)) = ?" }.joined(separator: ", ")
        let statement = try connection.prepare("UPDATE \(collection.statements.table) SET \(sets) WHERE `id` = ?")
        defer { statement.finish() }
        for (position, index) in changed.enumerated() {
            try statement.bind(record.values[index], at: position + 1)
        }
        try statement.bind(original[id], at: changed.count + 1)
        _ = try statement.step()
        if connection.lastChanges == 0 { throw ServiceError.notFound() }
    }

    /// A unique index's refusal as failures of its columns; nil for any other error.
    static func failures(of error: StoreError, _ collection: Collection) -> ValidationFailures? {
        var failures: [String: FieldFailure] = [:]
        for unique in error.uniqueColumns where unique.table.lowercased() == collection.name.lowercased() {
            if let field = collection.fields.first(where: { $0.name.lowercased() == unique.column.lowercased() }) {
                failures[field.name] = FieldFailure("validation_not_unique", "Value must be unique")
            }
        }
        return failures.isEmpty ? nil : ValidationFailures(failures)
    }

    // MARK: - Deleting

    /// Deletes a record, empties or deletes what refers to it, and arranges what follows the commit.
    /// - Parameter isCascade: it goes because another record did.
    /// - Throws: `ServiceError` when a required reference keeps it.
    package func delete(_ record: Record, in transaction: Transaction, isCascade: Bool = false) throws {
        try hooks.trigger(.recordDelete, collection: record.collection, record: record, transaction: transaction) {
            try hooks.trigger(
                .recordDeleteExecute, collection: record.collection, record: record, transaction: transaction
            ) { try deleteRow(record, in: transaction, isCascade: isCascade) }
        }
        if hooks.has(.recordAfterDeleteSuccess, record.collection) {
            transaction.afterCommit {
                try? hooks.trigger(.recordAfterDeleteSuccess, collection: record.collection, record: record) {}
            }
        }
    }

    private func deleteRow(_ record: Record, in transaction: Transaction, isCascade: Bool) throws {
        let connection = transaction.connection
        try refuseMissing(record.collection)
        if record.collection.isAuth { try AuthRecordRules.beforeDelete(record, transaction: transaction) }
        try intercept(.beforeDelete, record, connection)
        let statement = try connection.prepare(record.collection.statements.deleteByID)
        do {
            defer { statement.finish() }
            try statement.bind(record["id"], at: 1)
            _ = try statement.step()
        }
        if record.collection.isAuth { try AuthRecordRules.afterDelete(record, saver: self, transaction: transaction) }
        for (collection, fields) in schema.references(to: record.collection) {
            for index in fields { try release(record, from: collection, field: index, in: transaction) }
        }
        try hooks.files?.didDelete(record, in: transaction)
        try hooks.changes.post(.delete, record, transaction, isCascade: isCascade)
        after(.afterDelete, .failedDelete, record, transaction)
    }

    /// Takes a deleted record's id out of a field of all records that refer to it; where nothing is left of a cascading
    /// reference the referring record goes as well.
    private func release(_ record: Record, from collection: Collection, field index: Int, in transaction: Transaction)
        throws
    {
        let field = collection.fields[index]
        guard let relation = field.shape.relation else { return }
        let column = "\(collection.statements.table).\(SQLName.quote(field.name))"
        var sql = "SELECT \(collection.statements.columns) FROM \(collection.statements.table) WHERE "
        sql +=
            field.shape.isMultiple
            ? "EXISTS (SELECT 1 FROM \(SQLName.members(of: column)) AS __je__ WHERE __je__.value = ?)" : "\(column) = ?"
        var arguments: [SQLValue] = [.text(record.id)]
        if collection.id == record.collection.id {
            sql += " AND \(collection.statements.table).`id` != ?"
            arguments.append(.text(record.id))
        }
        for found in try transaction.connection.records(sql, arguments, collection) {
            // A cascade may have reached it on another way already.
            guard let referring = try transaction.connection.record(id: found.id, in: collection) else { continue }
            let left = referring.values[index].strings.filter { $0 != record.id }
            if left.isEmpty && relation.cascadeDelete {
                try delete(referring, in: transaction, isCascade: true)
                continue
            }
            if left.isEmpty && relation.isRequired {
                throw ServiceError.badRequest(
                    "Failed to delete record. Make sure that the record is not part of a required relation reference.")
            }
            referring.values[index] = field.instance.normalise(Value(.array(left.map { .string($0) })))
            try save(referring, in: transaction, validates: false)
        }
    }
}

extension Statement {
    /// Binds a field's value in its stored form.
    package func bind(_ value: Value, at index: Int) throws {
        switch value {
        case .null: try bindNull(at: index)
        case .bool(let value): try bindInt(value ? 1 : 0, at: index)
        case .number(let value): try bindDouble(value, at: index)
        case .text(let value), .json(let value): try bindText(value, at: index)
        }
    }
}

extension Connection {
    /// The records that a statement selects with a collection's columns in front.
    package func records(_ sql: String, _ arguments: [SQLValue] = [], _ collection: Collection) throws -> [Record] {
        let statement = try prepare(sql)
        defer { statement.finish() }
        for (index, value) in arguments.enumerated() { try statement.bind(value, at: index + 1) }
        var records: [Record] = []
        while try statement.step() { records.append(RowReader.record(statement, collection)) }
        return records
    }

    /// The record of an id, or nil.
    package func record(id: String, in collection: Collection) throws -> Record? {
        try records(collection.statements.selectByID, [.text(id)], collection).first
    }
}
