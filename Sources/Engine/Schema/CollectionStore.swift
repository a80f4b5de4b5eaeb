package import JSON
package import Store

/// Creates, changes, deletes and imports collections on a running transaction.
///
/// The collections as the transaction sees them are in ``schema``; the caller publishes that schema when the
/// transaction was committed, and drops the store when it was not. Each operation takes place wholly or not at all.
///
/// For example:
///
///     var store = CollectionStore(environment, schema: current, connection: transaction.connection)
///     let posts = try store.create(["name": "posts", "type": "base"])
///     transaction.afterCommit { publish(store.schema) }
package struct CollectionStore {
    package let environment: SchemaEnvironment
    package let connection: Connection
    /// The collections after the operations so far.
    package internal(set) var schema: Schema

    /// - Parameters:
    ///   - schema: the collections as they are saved.
    ///   - connection: the connection of a write transaction.
    package init(_ environment: SchemaEnvironment, schema: Schema, connection: Connection) {
        self.environment = environment
        self.schema = schema
        self.connection = connection
    }

    var types: FieldTypeRegistry { environment.types }

    // MARK: - Create and change

    /// Creates the collection that a request's body describes.
    ///
    /// - Throws: the answer to the client.
    package mutating func create(_ body: JSON) throws(ServiceError) -> Collection {
        let draft = try CollectionDraft(request: body, types: types)
        do {
            return try save(draft)
        } catch {
            throw error.serviceError("Failed to create collection.")
        }
    }

    /// Changes a collection as a request's body says.
    ///
    /// - Throws: the answer to the client.
    package mutating func update(_ collection: Collection, _ body: JSON) throws(ServiceError) -> Collection {
        var draft = CollectionDraft(collection)
        try draft.merge(body, types: types)
        do {
            return try save(draft)
        } catch {
            throw error.serviceError("Failed to update collection.")
        }
    }

    /// Prepares, checks and saves a draft: what `create` and `update` do after reading the body.
    package mutating func save(_ draft: CollectionDraft) throws(CollectionError) -> Collection {
        var draft = draft
        draft.prepare(schema: schema, types: types)
        try validate(&draft)
        return try execute(draft)
    }

    /// Checks a prepared draft.
    ///
    /// - Throws: the failures by setting.
    package func validate(_ draft: inout CollectionDraft) throws(CollectionError) {
        if let original = draft.original, draft.id != original.id, schema.collection(draft.id) == nil {
            throw .notFound
        }
        try validate(&draft, against: draft.original)
    }

    func validate(_ draft: inout CollectionDraft, against original: Collection?) throws(CollectionError) {
        if original == nil { draft.refreshGeneratedID(schema) }
        do {
            if draft.knownType == .view {
                let builder = ViewBuilder(connection: connection, types: types, schema: schema)
                draft.fields = (try? builder.fieldsWithoutCheck(of: draft.viewQuery)) ?? []
            }
            let validator = CollectionValidator(
                draft, original: original, schema: schema, environment: environment, connection: connection
            )
            let failures = try validator.failures()
            if !failures.isEmpty { throw CollectionError.invalid(failures) }
        } catch {
            throw CollectionError(error)
        }
    }

    /// Saves a prepared draft without checking it: its row, its table or view, and the views that depend on it.
    package mutating func execute(_ draft: CollectionDraft) throws(CollectionError) -> Collection {
        var draft = draft
        let old = draft.isNew ? nil : schema.collection(id: draft.id)
        if !draft.isNew, old == nil { throw .notFound }
        try refuseMissingTypes(draft, old)
        // Sign-ins that the old rule allowed must not outlive it.
        if let old, (old.options["authRule"]?.stringValue ?? "") != (draft.authOptions["authRule"]?.stringValue ?? "") {
            draft.authOptions = draft.authOptions.setting(["authToken", "secret"], .string(RandomText.make(50)))
        }
        if old?.isSuperusers ?? false { draft.holdSuperusers() }
        let saved: Collection
        do {
            saved = try connection.undoingOnError {
                if draft.knownType == .view { try makeView(&draft, old) }
                let collection = draft.compiled(types)
                try writeRow(collection, type: draft.type, isNew: old == nil)
                try TableSync(connection).sync(collection, from: old)
                return collection
            }
        } catch {
            throw CollectionError(error)
        }
        schema = schema.replacing(saved)
        do throws(CollectionError) {
            try resaveViews(except: saved.id)
        } catch {
            environment.warn(
                "Dependent view collection(s) may need to be updated after \(saved.name) collection change", error.text
            )
        }
        return saved
    }

    private func refuseMissingTypes(_ draft: CollectionDraft, _ old: Collection?) throws(CollectionError) {
        guard draft.knownType != .view else { return }
        let missing = Set(draft.fields.filter { types[$0.typeID] == nil }.map(\.typeID) + (old?.missingTypes ?? []))
        guard let first = missing.min() else { return }
        throw .refused(
            "[\(draft.name)] the field type \"\(first)\" is not installed, so that the collection cannot be changed"
        )
    }

    private func makeView(_ draft: inout CollectionDraft, _ old: Collection?) throws {
        let builder = ViewBuilder(connection: connection, types: types, schema: schema)
        let fields = try builder.fields(of: draft.viewQuery)
        if let old { try builder.drop(old.name) }
        let query: String
        do {
            query = try builder.withTextID(draft.viewQuery)
        } catch {
            throw CollectionError.refused("failed to normalize view query id: \(CollectionError(error).text)")
        }
        try builder.save(draft.name, query: query)
        draft.fields = fields
    }

    private func writeRow(_ collection: Collection, type: String, isNew: Bool) throws(StoreError) {
        let sql =
            isNew
            ? """
            INSERT INTO _collections (id, system, type, name, fields, indexes, listRule, viewRule, createRule, \
            updateRule, deleteRule, options, created, updated) \
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)
            """
            : """
            UPDATE _collections SET system = ?2, type = ?3, name = ?4, fields = ?5, indexes = ?6, listRule = ?7, \
            viewRule = ?8, createRule = ?9, updateRule = ?10, deleteRule = ?11, options = ?12, created = ?13, \
            updated = ?14 WHERE id = ?1
            """
        func rule(_ rule: String?) -> SQLValue { rule.map { .text($0) } ?? .null }
        try connection.run(
            sql,
            [
                .text(collection.id), .integer(collection.system ? 1 : 0), .text(type), .text(collection.name),
                .text(CollectionCodec.fieldsColumn(collection)), .text(CollectionCodec.indexesColumn(collection)),
                rule(collection.rules.list), rule(collection.rules.view), rule(collection.rules.create),
                rule(collection.rules.update), rule(collection.rules.delete),
                .text(CollectionCodec.optionsColumn(collection)), .text(collection.created), .text(collection.updated),
            ]
        )
    }

    /// Saves the views again whose fields have become others.
    ///
    /// - Throws: the views that no longer work, by name; then none is changed.
    mutating func resaveViews(except id: String) throws(CollectionError) {
        var copy = self
        do {
            self = try connection.undoingOnError {
                var errors: [String] = []
                for view in copy.schema.collections where view.isView && view.id != id {
                    do {
                        try copy.resave(view)
                    } catch {
                        errors.append("[\(view.name)] \(CollectionError(error).text)")
                    }
                }
                if !errors.isEmpty { throw CollectionError.refused(errors.joined(separator: "\n")) }
                return copy
            }
        } catch {
            throw CollectionError(error)
        }
    }

    private mutating func resave(_ view: Collection) throws {
        func comparable(_ fields: [FieldDraft]) -> String {
            JSON.array(
                fields.map { field in
                    var field = field
                    field.id = ""
                    return field.stored
                }
            ).serialized().lowercased()
        }
        var draft = CollectionDraft(view)
        let builder = ViewBuilder(connection: connection, types: types, schema: schema)
        let fresh = try builder.fields(of: draft.viewQuery)
        if comparable(fresh) == comparable(draft.fields) { return }
        draft.prepare(schema: schema, types: types)
        try validate(&draft)
        _ = try execute(draft)
    }
}
