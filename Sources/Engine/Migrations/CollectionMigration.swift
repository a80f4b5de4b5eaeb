import JSON

/// A migration that changes collections and nothing else: what PocketBase and Roost themselves write.
struct CollectionMigration: MigrationProgram, Equatable {
    enum Action: Equatable {
        case nothing
        case importing([JSON], deletesMissing: Bool)
        case create(JSON)
        /// By name or id.
        case change(String, [Edit])
        /// By name or id.
        case delete(String)
    }

    enum Edit: Equatable {
        /// Members laid over the collection.
        case merge(JSON)
        case removeField(id: String)
        /// Puts a field at a place, moving it there when the collection has it.
        case putField(Int, JSON)
    }

    let upAction: Action
    let downAction: Action

    func up(_ context: MigrationContext) throws { try perform(upAction, context) }
    func down(_ context: MigrationContext) throws { try perform(downAction, context) }

    private func perform(_ action: Action, _ context: MigrationContext) throws {
        if action == .nothing { return }
        let types = context.engine.fieldTypes
        try context.engine.changeCollections(in: context.transaction) { store in
            switch action {
            case .nothing: return
            case .importing(let collections, let deletesMissing):
                try store.importCollections(collections, deletesMissing: deletesMissing)
            case .create(let data):
                _ = try store.save(CollectionDraft(request: data, takingID: true, types: types))
            case .change(let name, let edits):
                guard let collection = store.schema.collection(name) else { throw CollectionError.notFound }
                var draft = CollectionDraft(collection)
                for edit in edits { try draft.apply(edit, types) }
                _ = try store.save(draft)
            case .delete(let name):
                guard let collection = store.schema.collection(name) else { throw CollectionError.notFound }
                try store.delete(collection)
            }
        }
    }
}

extension CollectionDraft {
    fileprivate mutating func apply(_ edit: CollectionMigration.Edit, _ types: FieldTypeRegistry) throws {
        switch edit {
        case .merge(let members): try merge(members, types: types)
        case .removeField(let id): fields.removeAll { $0.id == id }
        case .putField(let position, let json):
            let typeID = json["type"]?.stringValue ?? ""
            guard types[typeID] != nil else {
                throw MigrationError("the field type \"\(typeID)\" is not installed")
            }
            let field: FieldDraft
            do {
                field = try FieldDraft(request: json, types: types)
            } catch {
                throw MigrationError("a setting of the field \(json["name"]?.serialized() ?? "") has a wrong type")
            }
            var others = fields
            others.removeAll { field.id.isEmpty ? $0.name == field.name : $0.id == field.id }
            others.insert(field, at: min(max(position, 0), others.count))
            fields = [FieldDraft](adding: others)
        }
    }
}
