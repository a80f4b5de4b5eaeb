package import JSON

/// How a collection is written: into its row of `_collections` and into an answer.
package enum CollectionCodec {
    /// The collection as the API shows it: without the secrets among its options.
    package static func json(_ collection: Collection) -> JSON {
        var object = JSONObject()
        object.reserveCapacity(28)
        object.append("id", .string(collection.id))
        for (key, rule) in rules(collection.rules) { object.append(key, rule) }
        object.append("name", .string(collection.name))
        object.append("type", .string(collection.type.rawValue))
        object.append("fields", .array(collection.fields.map(\.json)))
        object.append("indexes", .array(collection.indexes.map { .string($0) }))
        object.append("created", .string(collection.created))
        object.append("updated", .string(collection.updated))
        object.append("system", .bool(collection.system))
        let options =
            switch collection.type {
            case .base: JSON.object(JSONObject())
            case .view: JSON.object(collection.options)
            case .auth: AuthOptions.shape.encoding(AuthOptions.withoutSecrets(.object(collection.options)))
            }
        for (key, value) in options.objectValue ?? JSONObject() { object.append(key, value) }
        return .object(object)
    }

    /// The text of `_collections.fields`.
    package static func fieldsColumn(_ collection: Collection) -> String {
        JSON.array(collection.fields.map(\.json)).serialized()
    }

    /// The text of `_collections.indexes`.
    package static func indexesColumn(_ collection: Collection) -> String {
        JSON.array(collection.indexes.map { .string($0) }).serialized()
    }

    /// The text of `_collections.options`, secrets included.
    package static func optionsColumn(_ collection: Collection) -> String {
        switch collection.type {
        case .base: "{}"
        case .view: JSON.object(collection.options).serialized()
        case .auth: AuthOptions.shape.encoding(.object(collection.options)).serialized()
        }
    }

    static func rules(_ rules: CollectionRules) -> [(String, JSON)] {
        func json(_ rule: String?) -> JSON { rule.map { .string($0) } ?? .null }
        return [
            ("listRule", json(rules.list)), ("viewRule", json(rules.view)), ("createRule", json(rules.create)),
            ("updateRule", json(rules.update)), ("deleteRule", json(rules.delete)),
        ]
    }
}
