package import JSON
import Store

extension CollectionStore {
    /// Deletes a collection with its table or view and what other system tables keep about its records.
    ///
    /// The collection's folder of files is the caller's to remove after the commit.
    ///
    /// - Parameter checksIntegrity: whether relations and views that depend on it forbid it; false in an import.
    package mutating func delete(_ collection: Collection, checksIntegrity: Bool = true) throws(CollectionError) {
        if collection.system { throw .refused("[\(collection.name)] system collections cannot be deleted") }
        if checksIntegrity {
            let names = referencingNames(collection)
            if !names.isEmpty {
                throw .refused(
                    "[\(collection.name)] failed to delete due to existing relation references: "
                        + names.joined(separator: ", ")
                )
            }
        }
        var copy = self
        do {
            self = try connection.undoingOnError {
                let kind = collection.isView ? "VIEW" : "TABLE"
                try connection.execute("DROP \(kind) IF EXISTS \(SQLName.quote(collection.name))")
                copy.schema = copy.schema.removing(collection.id)
                if checksIntegrity { try copy.resaveDependentViews(of: collection) }
                try connection.run("DELETE FROM _collections WHERE id = ?1", [.text(collection.id)])
                if collection.isAuth { try copy.deleteSignInTraces(of: collection) }
                return copy
            }
        } catch {
            throw CollectionError(error)
        }
    }

    /// The answer to a delete request that was refused.
    package func deleteFailure(_ collection: Collection, _ error: CollectionError) -> ServiceError {
        if case .notFound = error { return .notFound() }
        let names = referencingNames(collection)
        return .badRequest(
            "Failed to delete collection"
                + (names.isEmpty ? "" : " probably due to existing reference in " + names.joined(separator: ", "))
        )
    }

    private func referencingNames(_ collection: Collection) -> [String] {
        schema.collections.filter { other in
            other.id != collection.id
                && other.fields.contains { field in
                    // A field whose plugin is away has no shape, but what it points at must stay nevertheless.
                    let target = field.shape.relation?.collectionID ?? field.settings["collectionId"]?.stringValue
                    return (field.shape.relation != nil || field.typeID == "relation") && target == collection.id
                }
        }
        .map(\.name)
    }

    private mutating func resaveDependentViews(of collection: Collection) throws(CollectionError) {
        do throws(CollectionError) {
            try resaveViews(except: collection.id)
        } catch {
            throw .refused(
                "[\(collection.name)] failed to delete due to existing view dependency: \(error.text)"
            )
        }
    }

    private func deleteSignInTraces(of collection: Collection) throws(StoreError) {
        for table in ["_mfas", "_otps", "_externalAuths", "_authOrigins"] where schema.collection(name: table) != nil {
            try connection.run("DELETE FROM \(SQLName.quote(table)) WHERE collectionRef = ?1", [.text(collection.id)])
        }
    }

    /// Deletes all records of a collection one by one, so that cascades, files and hooks take part.
    ///
    /// - Parameters:
    ///   - deleteRecord: deletes the record of that id; what it throws ends the truncation.
    /// - Throws: the answer to the client.
    package func truncate(
        _ collection: Collection, deleteRecord: (_ id: String) throws -> Void
    ) throws(ServiceError) {
        if collection.isView {
            throw .badRequest("View collections cannot be truncated since they don't store their own records.")
        }
        do {
            try connection.undoingOnError {
                var before: [[SQLValue]] = []
                while true {
                    let rows = try connection.rows("SELECT id FROM \(SQLName.quote(collection.name)) LIMIT 500")
                    if rows.isEmpty { return }
                    if rows == before { throw CollectionError.refused("the records do not go away") }
                    before = rows
                    for row in rows { try deleteRecord(row[0].textValue ?? "") }
                }
            }
        } catch {
            throw .badRequest(
                "Failed to truncate collection (most likely due to required cascade delete record references)."
            )
        }
    }

    /// New collections of each type, as the dashboard begins them: `{"auth":…,"base":…,"view":…}` in JSON.
    package static func scaffolds(types: FieldTypeRegistry) -> JSON {
        // Stands for the id in index names, for there is none yet.
        let placeholder = RandomText.make(10, from: RandomText.lowercase)
        var result = JSONObject()
        for type in ["base", "auth", "view"] {
            var draft = CollectionDraft(type: type, name: "", id: placeholder, types: types)
            draft.id = ""
            result.append(type, CollectionCodec.json(draft.compiled(types)))
        }
        return .object(result)
    }
}

extension Schema {
    /// The schema with a collection in the place of the one with its id, or added at the end.
    package func replacing(_ collection: Collection) -> Schema {
        var collections = collections
        if let index = collections.firstIndex(where: { $0.id == collection.id }) {
            collections[index] = collection
        } else {
            collections.append(collection)
        }
        return Schema(collections: collections, version: version + 1)
    }

    /// The schema without a collection.
    package func removing(_ id: String) -> Schema {
        Schema(collections: collections.filter { $0.id != id }, version: version + 1)
    }
}
