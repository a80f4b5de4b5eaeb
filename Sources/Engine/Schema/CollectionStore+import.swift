package import JSON

extension CollectionStore {
    /// Makes the collections what an exported configuration says, all or none.
    ///
    /// - Parameters:
    ///   - configuration: the exported collections; one is matched with an existing one by its id, else by its name.
    ///   - deletesMissing: whether collections and fields that the configuration does not have are deleted with their
    ///     records; system collections and fields never are.
    /// - Throws: the answer to the client.
    package mutating func importCollections(
        _ configuration: [JSON], deletesMissing: Bool
    ) throws(ServiceError) {
        var copy = self
        do {
            self = try connection.undoingOnError {
                try copy.runImport(configuration, deletesMissing: deletesMissing)
                return copy
            }
        } catch {
            let failures: [String: FailureTree]
            if case .invalid(let found) = CollectionError(error) {
                failures = found
            } else {
                let reason = CollectionError(error).text
                failures = [
                    "collections": .failure(
                        FieldFailure(
                            "validation_collections_import_failure",
                            "Failed to import the collections configuration. Raw error:\n" + reason
                        )
                    )
                ]
            }
            throw .badRequest("Failed to import collections.", failures)
        }
    }

    /// Imports the body of an import request: `{"collections": […], "deleteMissing": false}`.
    ///
    /// - Throws: the answer to the client.
    package mutating func importCollections(request body: JSON) throws(ServiceError) {
        let unreadable = ServiceError.badRequest("An error occurred while loading the submitted data.")
        let object = body.isNull ? JSONObject() : body.objectValue
        guard let object else { throw unreadable }
        let deletes: Bool
        switch object["deleteMissing"] {
        case nil, .null: deletes = false
        case .bool(let value): deletes = value
        default: throw unreadable
        }
        let collections: [JSON]
        switch object["collections"] {
        case nil, .null: collections = []
        case .array(let elements): collections = elements
        default: throw unreadable
        }
        if collections.contains(where: { $0.objectValue == nil && !$0.isNull }) { throw unreadable }
        if collections.isEmpty {
            throw .validation("An error occurred while validating the submitted data.", ["collections": .required])
        }
        try importCollections(collections, deletesMissing: deletes)
    }

    private mutating func runImport(_ configuration: [JSON], deletesMissing: Bool) throws(CollectionError) {
        if configuration.isEmpty { throw .refused("no collections to import") }
        var drafts: [CollectionDraft] = []
        for data in configuration { drafts.append(try draft(data, deletesMissing: deletesMissing)) }
        // Views last, for their queries may name other imported collections.
        let order = drafts.indices.sorted { left, right in
            let (a, b) = (drafts[left], drafts[right])
            let keys = [
                (a.knownType == .view ? "1" : "0", b.knownType == .view ? "1" : "0"), (a.created, b.created),
                (a.updated, b.updated),
            ]
            for (x, y) in keys where x != y { return x < y }
            return left < right
        }
        drafts = order.map { drafts[$0] }
        let before = schema
        if deletesMissing {
            let kept = Set(drafts.map(\.id))
            // First, since an imported collection may take a deleted one's name.
            for collection in before.collections.sorted(by: { $0.updated < $1.updated })
            where !kept.contains(collection.id) && !collection.system {
                try delete(collection, checksIntegrity: false)
            }
        }
        for index in drafts.indices {
            do {
                drafts[index].prepare(schema: schema, types: types)
                _ = try execute(drafts[index])
            } catch {
                if case .invalid = error { throw error }
                throw .refused("failed to save collection \(GoQuote.quote(drafts[index].name)): \(error.text)")
            }
        }
        for draft in drafts { try check(draft, before) }
    }

    private func check(_ saved: CollectionDraft, _ before: Schema) throws(CollectionError) {
        guard let collection = schema.collection(id: saved.id) else { return }
        var draft = CollectionDraft(collection)
        draft.type = saved.type
        let original = before.collection(id: draft.id) ?? collection
        do throws(CollectionError) {
            try validate(&draft, against: original)
        } catch {
            guard case .invalid(let failures) = error else { throw error }
            let text = FailureText.json(.nested(failures)).serialized(options: .init(pretty: true))
            throw .invalid([
                "collections": .failure(
                    FieldFailure(
                        "validation_collections_import_failure",
                        "Data validations failed for collection \(GoQuote.quote(draft.name)) (\(draft.id)):\n\(text)"
                    )
                )
            ])
        }
    }

    private func draft(_ data: JSON, deletesMissing: Bool) throws(CollectionError) -> CollectionDraft {
        var data = data.objectValue ?? JSONObject()
        func text(_ key: String) -> String {
            switch data[key] {
            case .string(let value): value
            case .number, .bool: data[key]?.serialized() ?? ""
            default: ""
            }
        }
        let identifier = text("id").isEmpty ? text("name") : text("id")
        do throws(ServiceError) {
            guard let existing = schema.collection(identifier) else {
                return try CollectionDraft(request: .object(data), takingID: true, types: types)
            }
            if data["fields"]?.isNull ?? true, deletesMissing { data["fields"] = [] }
            var draft = CollectionDraft(existing)
            try draft.merge(.object(data), types: types)
            for field in existing.fields.map({ FieldDraft($0) }) {
                if !field.system, deletesMissing { continue }
                if draft.fields.field(id: field.id) != nil { continue }
                // The column must not be dropped only because the configuration names its field by another id.
                if let index = draft.fields.firstIndex(where: { $0.name == field.name }),
                    draft.fields[index].typeID == field.typeID
                {
                    draft.fields[index].id = field.id
                }
                draft.fields.add(field)
            }
            return draft
        } catch {
            throw .refused(unknownType(data) ?? error.message)
        }
    }

    /// The first field whose type is not installed, in the words that PocketBase finds for it.
    private func unknownType(_ data: JSONObject) -> String? {
        for (position, field) in (data["fields"]?.arrayValue ?? []).enumerated() where field.objectValue != nil {
            guard types[field["type"]?.stringValue ?? ""] == nil else { continue }
            return "json: cannot unmarshal JSON object into Go core.fieldWithType within \"/fields/\(position)\": "
                + "missing or unknown field type in " + field.sortedKeys().serialized()
        }
        return nil
    }
}
