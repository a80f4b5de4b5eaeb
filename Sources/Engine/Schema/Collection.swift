package import JSON

package enum CollectionType: String, Sendable {
    case base, auth, view
}

/// The rules of a collection: nil locks an action to superusers, "" opens it to everyone.
package struct CollectionRules: Sendable, Equatable {
    package var list: String?
    package var view: String?
    package var create: String?
    package var update: String?
    package var delete: String?
    package init(
        list: String? = nil, view: String? = nil, create: String? = nil, update: String? = nil, delete: String? = nil
    ) {
        self.list = list
        self.view = view
        self.create = create
        self.update = update
        self.delete = delete
    }
}

/// A collection at one moment: immutable, shared by all threads, replaced as a whole when it is saved.
package final class Collection: Sendable {
    package let id: String
    package let name: String
    package let type: CollectionType
    package let system: Bool
    package let fields: [Field]
    /// `CREATE INDEX` statements.
    package let indexes: [String]
    package let rules: CollectionRules
    /// The type's options as `_collections.options` holds them, secrets included: `viewQuery` of a view; `authRule`,
    /// `passwordAuth`, `authToken`, … of an auth collection.
    package let options: JSONObject
    /// Times in PocketBase's form (`2006-01-02 15:04:05.000Z`).
    package let created: String
    package let updated: String

    /// The types of its fields that no loaded plugin provides.
    package let missingTypes: [String]
    /// How its records are written as JSON.
    package let rendering: Rendering
    /// The SQL of its rows.
    package let statements: RecordStatements

    private let indexByName: [String: Int]

    package init(
        id: String, name: String, type: CollectionType, system: Bool, fields: [Field], indexes: [String],
        rules: CollectionRules, options: JSONObject, created: String, updated: String
    ) {
        self.id = id
        self.name = name
        self.type = type
        self.system = system
        self.fields = fields
        self.indexes = indexes
        self.rules = rules
        self.options = options
        self.created = created
        self.updated = updated
        var byName: [String: Int] = [:]
        for (index, field) in fields.enumerated() { byName[field.name] = index }
        indexByName = byName
        missingTypes = fields.filter(\.isMissing).map(\.typeID)
        statements = RecordStatements(name: name, fields: fields)
        rendering = Rendering(collectionID: id, collectionName: name, isAuth: type == .auth, fields: fields)
    }

    package var isView: Bool { type == .view }
    package var isAuth: Bool { type == .auth }
    package var isSuperusers: Bool { name == "_superusers" }

    /// The position of a field, by its exact name.
    package func index(of name: String) -> Int? { indexByName[name] }
    package func field(named name: String) -> Field? { indexByName[name].map { fields[$0] } }
    package func field(id: String) -> Field? { fields.first { $0.id == id } }
}
