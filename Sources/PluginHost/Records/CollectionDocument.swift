internal import Engine
internal import JSON
internal import Synchronization

/// A collection as plugins see it: PocketBase's JSON of collections, the options beside the other keys.
enum CollectionDocument {
    private struct Key: Hashable {
        var id: String
        var hasSecrets: Bool
    }

    private struct Entry {
        var collection: Collection
        var text: String
    }

    /// Texts made lately: plugins ask for the same collection with every request. A collection that changes is a new
    /// object, so that an entry is right as long as it is of the same one.
    private static let recent = Mutex<[Key: Entry]>([:])
    private static let recentLimit = 1000

    /// The document as text, made once for each state of a collection. Any thread.
    static func text(_ collection: Collection, includingSecrets: Bool) -> String {
        let key = Key(id: collection.id, hasSecrets: includingSecrets)
        if let known = recent.withLock({ $0[key] }), known.collection === collection { return known.text }
        let text = json(collection, includingSecrets: includingSecrets).serialized()
        recent.withLock { recent in
            if recent.count >= recentLimit { recent.removeAll() }
            recent[key] = Entry(collection: collection, text: text)
        }
        return text
    }

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

    static func withoutSecrets(_ json: JSON) -> JSON {
        switch json {
        case .object(let object):
            var result = JSONObject()
            for (key, value) in object where !SecretName.matches(key) {
                result[key] = withoutSecrets(value)
            }
            return .object(result)
        case .array(let items): return .array(items.map(withoutSecrets))
        case .null, .bool, .number, .string: return json
        }
    }
}
