internal import Engine
internal import JSON

/// A collection as plugins see it: PocketBase's JSON of collections, the options beside the other keys.
enum CollectionDocument {
    /// - Parameter includingSecrets: whether token secrets and the like are in it.
    static func json(_ collection: Collection, includingSecrets: Bool) -> JSON {
        var object = JSONObject()
        object["id"] = .string(collection.id)
        object["name"] = .string(collection.name)
        object["type"] = .string(collection.type.rawValue)
        object["system"] = .bool(collection.system)
        object["fields"] = .array(collection.fields.map(\.json))
        object["indexes"] = .array(collection.indexes.map { .string($0) })
        object["listRule"] = rule(collection.rules.list)
        object["viewRule"] = rule(collection.rules.view)
        object["createRule"] = rule(collection.rules.create)
        object["updateRule"] = rule(collection.rules.update)
        object["deleteRule"] = rule(collection.rules.delete)
        object["created"] = .string(collection.created)
        object["updated"] = .string(collection.updated)
        for (key, value) in collection.options {
            object[key] = includingSecrets ? value : withoutSecrets(value)
        }
        return .object(object)
    }

    private static func rule(_ rule: String?) -> JSON { rule.map { .string($0) } ?? .null }

    private static func withoutSecrets(_ json: JSON) -> JSON {
        switch json {
        case .object(let object):
            var result = JSONObject()
            for (key, value) in object where key != "secret" && key != "clientSecret" {
                result[key] = withoutSecrets(value)
            }
            return .object(result)
        case .array(let items): return .array(items.map(withoutSecrets))
        case .null, .bool, .number, .string: return json
        }
    }
}
