import JSON
import Store

/// What PocketBase's own migrations since 0.23 change in a folder. Each does nothing where there is nothing to change.
struct MigrationSteps {
    let environment: SchemaEnvironment
    let connection: Connection

    func store() throws -> CollectionStore {
        let loader = SchemaLoader(types: environment.types)
        return CollectionStore(environment, schema: try loader.load(connection, version: 1), connection: connection)
    }

    /// 1717233557: one-time passwords and sign-ins under way are deleted by the server alone.
    func resetDeleteRules() throws {
        try connection.execute(SystemTables.collectionsIndex)
        try connection.run(
            "UPDATE _collections SET deleteRule = NULL, updated = ?1 "
                + "WHERE name IN ('_mfas', '_otps') AND deleteRule IS NOT NULL",
            [.text(Timestamp.now())]
        )
    }

    /// 1717233558: the ids of system collections and their system fields follow from their names.
    func nameSystemIDs() throws {
        let store = try store()
        for name in ["_mfas", "_otps", "_externalAuths", "_authOrigins", "_superusers"] {
            guard let collection = store.schema.collection(name: name) else { continue }
            let id = "pbc_" + Checksum.text(collection.type.rawValue + name)
            let fields = collection.fields.map { field in
                var field = FieldDraft(field)
                if field.system { field.id = field.typeID + Checksum.text(field.name) }
                return field
            }
            guard id != collection.id || fields != collection.fields.map({ FieldDraft($0) }) else { continue }
            try connection.run(
                "UPDATE _collections SET id = ?1, fields = ?2 WHERE id = ?3",
                [.text(id), .text(fields.stored.serialized()), .text(collection.id)]
            )
            for table in ["_mfas", "_otps", "_authOrigins"] where try connection.hasTable(table) {
                try connection.run(
                    "UPDATE \(table) SET collectionRef = ?1 WHERE collectionRef = ?2",
                    [.text(id), .text(collection.id)]
                )
            }
            try connection.run(
                "UPDATE _collections SET fields = replace(fields, ?1, ?2)",
                [.text("\"collectionId\":\"\(collection.id)\""), .text("\"collectionId\":\"\(id)\"")]
            )
        }
    }

    /// 1717233559: one-time passwords know where they were sent.
    func addSentTo() throws {
        var store = try store()
        guard let collection = store.schema.collection(name: "_otps"), collection.field(named: "sentTo") == nil
        else { return }
        var draft = CollectionDraft(collection)
        draft.fields.add(
            FieldDraft(type: "text", name: "sentTo", system: true, hidden: true, types: environment.types)
        )
        try save(draft, &store)
    }

    /// 1763020353: the alert of a login tells from where it came; only a template never edited is replaced.
    func updateAlertTemplates() throws {
        var store = try store()
        for collection in store.schema.collections where collection.isAuth {
            var draft = CollectionDraft(collection)
            guard draft.authOptions.at("authAlert", "emailTemplate", "body")?.stringValue == Self.oldAlert,
                let body = AuthTemplates.alert.at("body")
            else { continue }
            draft.authOptions = draft.authOptions.setting(["authAlert", "emailTemplate", "body"], body)
            try save(draft, &store)
        }
    }

    /// 1778828400: collections know all indexes of their tables, and state them with their own names.
    func normaliseIndexes() throws {
        var store = try store()
        for collection in store.schema.collections where !collection.system && !collection.isView {
            let existing = try connection.rows(
                """
                SELECT sql FROM sqlite_master WHERE type = 'index' AND tbl_name = ?1 AND sql IS NOT NULL \
                AND name NOT LIKE 'sqlite_autoindex_%'
                """,
                [.text(collection.name)]
            ).map { IndexDefinition($0[0].textValue ?? "") }
            if existing.isEmpty, collection.indexes.isEmpty { continue }
            var draft = CollectionDraft(collection)
            for index in existing { try adopt(index, into: &draft) }
            try save(draft, &store)
        }
    }

    /// Takes over an index that the collection does not know, unless it has the same under another name.
    private func adopt(_ index: IndexDefinition, into draft: inout CollectionDraft) throws {
        let known = draft.indexes.map { IndexDefinition($0) }
        if known.contains(where: { !$0.name.isEmpty && $0.name.lowercased() == index.name.lowercased() }) { return }
        var index = index
        index.schemaName = ""
        index.table = draft.name
        try connection.execute("DROP INDEX \(SQLName.quote(index.name))")
        if draft.type == CollectionType.auth.rawValue, index.isUnique, index.columns.count == 1,
            ["tokenkey", "email"].contains(index.columns[0].name.lowercased())
        {
            return
        }
        let isKnown = known.contains { other in
            var other = other
            other.name = index.name
            other.schemaName = index.schemaName
            other.table = index.table
            return other.statement == index.statement
        }
        if !isKnown { draft.indexes.append(index.statement) }
    }

    private func save(_ draft: CollectionDraft, _ store: inout CollectionStore) throws {
        var draft = draft
        draft.prepare(schema: store.schema, types: environment.types)
        _ = try store.execute(draft)
    }

    /// The alert's text before 0.33.
    private static let oldAlert = """
        <p>Hello,</p>
        <p>We noticed a login to your {APP_NAME} account from a new location.</p>
        <p>If this was you, you may disregard this email.</p>
        <p><strong>If this wasn't you, you should immediately change your {APP_NAME} account password to revoke access \
        from all other locations.</strong></p>
        <p>
          Thanks,<br/>
          {APP_NAME} team
        </p>
        """
}
