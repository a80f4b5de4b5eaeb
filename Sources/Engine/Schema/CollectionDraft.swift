package import JSON

/// A collection while it is being changed: everything may still be set, nothing has been checked.
///
/// A draft begins as a scaffold or as a saved collection, takes over a request's JSON, is prepared (ids, system fields,
/// indexes) and only then compared with the rules for collections and saved.
package struct CollectionDraft: Sendable {
    package var id = ""
    package var name = ""
    /// As the request gave it; it may be no type that exists.
    package var type: String
    package var system = false
    package var fields: [FieldDraft] = []
    package var indexes: [String] = []
    package var rules = CollectionRules()
    /// The options of an auth collection, complete; kept for other types too, since a request may set both.
    package var authOptions = AuthOptions.shape.zero
    package var viewQuery = ""
    package var created = ""
    package var updated = ""
    /// The collection as it is saved; nil when this is a new one.
    package private(set) var original: Collection?
    /// The id made from type and name, as long as nobody chose another.
    private var generatedID: String?

    package var isNew: Bool { original == nil }
    package var knownType: CollectionType? { CollectionType(rawValue: type) }

    /// A new collection as PocketBase begins it: system fields, their indexes, the type's default options.
    ///
    /// - Parameter id: an id chosen by the caller; an empty one is made from type and name.
    package init(type: String, name: String, id: String = "", types: FieldTypeRegistry) {
        self.type = CollectionType(rawValue: type)?.rawValue ?? CollectionType.base.rawValue
        self.name = name
        self.id = id
        generateID()
        addSystemFields(types)
        if self.type == CollectionType.auth.rawValue { authOptions = AuthOptions.initial() }
    }

    /// A change of a saved collection.
    package init(_ collection: Collection) {
        id = collection.id
        name = collection.name
        type = collection.type.rawValue
        system = collection.system
        fields = collection.fields.map { FieldDraft($0) }
        indexes = collection.indexes
        rules = collection.rules
        switch collection.type {
        case .auth: authOptions = .object(collection.options)
        case .view: viewQuery = collection.options["viewQuery"]?.stringValue ?? ""
        case .base: break
        }
        created = collection.created
        updated = collection.updated
        original = collection
    }

    /// The new collection that the body of a create request describes.
    ///
    /// - Parameter chosenID: whether the scaffold takes the body's id, as an import has it, so that index names hold it.
    /// - Throws: the 400 of a body that is no object or has something of a wrong type.
    package init(
        request body: JSON, takingID chosenID: Bool = false, types: FieldTypeRegistry
    ) throws(ServiceError) {
        let object = try Self.object(body, Self.unreadableType)
        let type = try Self.string(object["type"], Self.unreadableType)
        let name = try Self.string(object["name"], Self.unreadableType)
        let id = chosenID ? try Self.string(object["id"], Self.unreadable) : ""
        self.init(type: type, name: name, id: id, types: types)
        try merge(body, types: types)
    }

    static let unreadableType = ServiceError.badRequest(
        "Failed to load the collection type data due to invalid formatting."
    )
    package static let unreadable = ServiceError.badRequest(
        "Failed to load the submitted data due to invalid formatting."
    )

    /// Lays the body of a request over the draft: what it does not mention stays, lists are replaced as a whole.
    ///
    /// - Throws: the 400 of a body that is no object or has something of a wrong type.
    package mutating func merge(_ body: JSON, types: FieldTypeRegistry) throws(ServiceError) {
        let object = try Self.object(body, Self.unreadable)
        var result = self
        do throws(OptionShape.WrongType) {
            try result.mergeBase(object, types: types)
            result.authOptions = try AuthOptions.merge(object, over: authOptions)
        } catch {
            throw Self.unreadable
        }
        self = result
    }

    private mutating func mergeBase(_ object: JSONObject, types: FieldTypeRegistry) throws(OptionShape.WrongType) {
        func text(_ key: String, _ old: String) throws(OptionShape.WrongType) -> String {
            guard let value = object[key] else { return old }
            return try OptionShape.string.merging(value, over: .null).stringValue ?? ""
        }
        func rule(_ key: String, _ old: String?) throws(OptionShape.WrongType) -> String? {
            guard let value = object[key] else { return old }
            return try OptionShape.optionalString.merging(value, over: .null).stringValue
        }
        id = try text("id", id)
        name = try text("name", name)
        type = try text("type", type)
        viewQuery = try text("viewQuery", viewQuery)
        if object["created"] != nil { created = DateText.normalise(try text("created", created)) }
        if object["updated"] != nil { updated = DateText.normalise(try text("updated", updated)) }
        rules.list = try rule("listRule", rules.list)
        rules.view = try rule("viewRule", rules.view)
        rules.create = try rule("createRule", rules.create)
        rules.update = try rule("updateRule", rules.update)
        rules.delete = try rule("deleteRule", rules.delete)
        if let value = object["system"] {
            system = try OptionShape.bool.merging(value, over: .null).boolValue ?? false
        }
        if let value = object["indexes"] {
            indexes = try OptionShape.strings.merging(value, over: .null).arrayValue?.compactMap(\.stringValue) ?? []
        }
        if let value = object["fields"] {
            var read: [FieldDraft] = []
            if !value.isNull {
                guard let elements = value.arrayValue else { throw OptionShape.WrongType() }
                for element in elements { read.append(try FieldDraft(request: element, types: types)) }
            }
            fields = [FieldDraft](adding: read)
        }
    }

    private static func object(_ body: JSON, _ error: ServiceError) throws(ServiceError) -> JSONObject {
        if body.isNull { return JSONObject() }
        guard let object = body.objectValue else { throw error }
        return object
    }

    private static func string(_ value: JSON?, _ error: ServiceError) throws(ServiceError) -> String {
        guard let value, !value.isNull else { return "" }
        guard let text = value.stringValue else { throw error }
        return text
    }

    /// The collection that the draft describes, with its fields compiled.
    package func compiled(_ types: FieldTypeRegistry) -> Collection {
        let known = knownType ?? .base
        let options: JSONObject =
            switch known {
            case .base: JSONObject()
            case .view: ["viewQuery": .string(viewQuery)]
            case .auth: authOptions.objectValue ?? JSONObject()
            }
        return Collection(
            id: id, name: name, type: known, system: system, fields: fields.map { $0.compiled(types) },
            indexes: indexes, rules: rules, options: options, created: created, updated: updated
        )
    }
}

// MARK: - What happens before a collection is checked

extension CollectionDraft {
    /// Completes the draft before it is checked: times, ids, system fields and the indexes that these need.
    ///
    /// - Parameter schema: the collections that exist, so that a generated id is not taken twice.
    package mutating func prepare(schema: Schema, types: FieldTypeRegistry) {
        if type.isEmpty { type = CollectionType.base.rawValue }
        let now = Timestamp.now()
        if isNew {
            generateID()
            created = now
        }
        updated = now
        fields = [FieldDraft](adding: fields)
        addSystemFields(types)
        if type == CollectionType.auth.rawValue { dropUnknownMappedFields() }
        refreshGeneratedID(schema)
        indexes = indexes.map { sql in
            var index = IndexDefinition(sql)
            if index.table == name { return sql }
            index.table = name
            let statement = index.statement
            return statement.isEmpty ? sql : statement
        }
    }

    private var checksumID: String { "pbc_" + Checksum.text(type + name) }

    private mutating func generateID() {
        guard id.isEmpty else { return }
        id = checksumID
        generatedID = id
    }

    /// Follows a name changed after the id was made, and steps aside for a collection that has the id already.
    package mutating func refreshGeneratedID(_ schema: Schema) {
        guard isNew, !id.isEmpty, id == generatedID else { return }
        var fresh = checksumID
        var suffix = 2
        while schema.collection(id: fresh) != nil, suffix < 1000 {
            fresh = checksumID + String(suffix)
            suffix += 1
        }
        guard fresh != id else { return }
        indexes = indexes.map { sql in
            var index = IndexDefinition(sql)
            let renamed = index.name.replacingAll(id, with: fresh)
            guard renamed != index.name else { return sql }
            index.name = renamed
            return index.statement
        }
        id = fresh
    }

    /// OAuth2 may fill only fields that exist.
    private mutating func dropUnknownMappedFields() {
        for key in ["id", "name", "username", "avatarURL"] {
            guard let field = authOptions.at("oauth2", "mappedFields", key)?.stringValue, !field.isEmpty,
                fields.field(named: field) == nil
            else { continue }
            authOptions = authOptions.setting(["oauth2", "mappedFields", key], "")
        }
    }
}

extension String {
    /// Every occurrence of a text replaced by another.
    func replacingAll(_ text: String, with replacement: String) -> String {
        guard !text.isEmpty else { return self }
        let bytes = Array(utf8)
        let pattern = Array(text.utf8)
        var result: [UInt8] = []
        var position = 0
        while position < bytes.count {
            if bytes[position...].starts(with: pattern) {
                result.append(contentsOf: replacement.utf8)
                position += pattern.count
            } else {
                result.append(bytes[position])
                position += 1
            }
        }
        return String(decoding: result, as: UTF8.self)
    }
}
