package import JSON

/// Writes the JavaScript of migrations that change collections, byte for byte as PocketBase writes it, so that either
/// program can apply the other's files.
package enum CollectionScript {
    private static let head = "/// <reference path=\"../pb_data/types.d.ts\" />\n"

    /// A migration to be filled in.
    package static let blank =
        head + """
            migrate((app) => {
              // add up queries...
            }, (app) => {
              // add down queries...
            })

            """

    /// All collections as they are.
    package static func snapshot(_ collections: [Collection]) -> String {
        let list = JSON.array(collections.map { data(CollectionCodec.json($0)) })
        return function(
            "const snapshot = \(text(list));\n\n  return app.importCollections(snapshot, false);", "return null;")
    }

    /// What made one state of a collection the other; nil when they do not differ.
    ///
    /// - Parameters:
    ///   - old: nil for a collection that was created.
    ///   - new: nil for one that was deleted.
    package static func change(from old: Collection?, to new: Collection?) -> String? {
        switch (old, new) {
        case (nil, nil): return nil
        case (nil, .some(let new)): return function(creation(new), deletion(new))
        case (.some(let old), nil): return function(deletion(old), creation(old))
        case (.some(let old), .some(let new)):
            let (up, down) = difference(withoutProviders(old), withoutProviders(new))
            if up.isEmpty && down.isEmpty { return nil }
            return function(edit(old.id, up), edit(new.id, down))
        }
    }

    // MARK: - Statements

    private static func function(_ up: String, _ down: String) -> String {
        "\(head)migrate((app) => {\n  \(up)\n}, (app) => {\n  \(down)\n})\n"
    }

    private static func creation(_ collection: Collection) -> String {
        "const collection = new Collection(\(text(data(CollectionCodec.json(collection)))));\n\n"
            + "  return app.save(collection);"
    }

    private static func deletion(_ collection: Collection) -> String {
        "const collection = app.findCollectionByNameOrId(\(quoted(collection.id)));\n\n  return app.delete(collection);"
    }

    private static func edit(_ id: String, _ parts: [String]) -> String {
        "const collection = app.findCollectionByNameOrId(\(quoted(id)))\n\n  \(parts.joined(separator: "\n\n  "))\n\n"
            + "  return app.save(collection)"
    }

    // MARK: - Differences

    private static func difference(_ old: JSON, _ new: JSON) -> (up: [String], down: [String]) {
        var up: [String] = []
        var down: [String] = []
        let skipped: Set = ["fields", "created", "updated"]
        let changed = members(of: new, notIn: old, except: skipped)
        if !changed.isEmpty {
            let before = members(of: old, notIn: new, except: skipped)
            up.append("// update collection data\n  unmarshal(\(text(.object(changed))), collection)")
            down.append("// update collection data\n  unmarshal(\(text(.object(before))), collection)")
        }
        let oldFields = old["fields"]?.arrayValue ?? []
        let newFields = new["fields"]?.arrayValue ?? []
        func position(_ field: JSON, _ list: [JSON]) -> Int? { list.firstIndex { $0["id"] == field["id"] } }
        func removal(_ field: JSON) -> String {
            "// remove field\n  collection.fields.removeById(\(quoted(field["id"]?.stringValue ?? "")))"
        }
        func placing(_ verb: String, _ place: Int, _ field: JSON) -> String {
            "// \(verb) field\n  collection.fields.addAt(\(place), new Field(\(text(field))))"
        }
        for (place, field) in oldFields.enumerated() where position(field, newFields) == nil {
            up.append(removal(field))
            down.append(placing("add", place, field))
        }
        for (place, field) in newFields.enumerated() where position(field, oldFields) == nil {
            up.append(placing("add", place, field))
            down.append(removal(field))
        }
        for (place, field) in newFields.enumerated() {
            guard let before = position(field, oldFields), oldFields[before] != field else { continue }
            up.append(placing("update", place, field))
            down.append(placing("update", before, oldFields[before]))
        }
        return (up, down)
    }

    /// The members of an object that another has not or has with another value; those that only the other has as null.
    private static func members(of new: JSON, notIn old: JSON, except skipped: Set<String> = []) -> JSONObject {
        var result = JSONObject()
        let old = old.objectValue ?? JSONObject()
        let new = new.objectValue ?? JSONObject()
        for (key, value) in new where !skipped.contains(key) && old[key]?.sortedKeys() != value.sortedKeys() {
            if let before = old[key], before.objectValue != nil, value.objectValue != nil {
                let inner = members(of: value, notIn: before)
                if !inner.isEmpty { result[key] = .object(inner) }
            } else {
                result[key] = value
            }
        }
        for (key, _) in old where !skipped.contains(key) && new[key] == nil { result[key] = .null }
        return result
    }

    // MARK: - Values

    /// Secrets of sign-in providers do not belong into files that are shared.
    private static func withoutProviders(_ collection: Collection) -> JSON {
        var json = CollectionCodec.json(collection)
        if let oauth2 = json["oauth2"]?.objectValue { json = replacing(json, oauth2, "providers", []) }
        return json.sortedKeys()
    }

    private static func data(_ json: JSON) -> JSON {
        var object = json.objectValue ?? JSONObject()
        object.remove("created")
        object.remove("updated")
        guard let oauth2 = object["oauth2"]?.objectValue else { return .object(object) }
        return replacing(.object(object), oauth2, "providers", nil)
    }

    private static func replacing(_ json: JSON, _ oauth2: JSONObject, _ key: String, _ value: JSON?) -> JSON {
        var object = json.objectValue ?? JSONObject()
        var inner = oauth2
        inner[key] = value
        object["oauth2"] = .object(inner)
        return .object(object)
    }

    /// JSON over several lines, to stand two spaces from the margin.
    private static func text(_ json: JSON) -> String {
        json.sortedKeys().serialized(options: .init(pretty: true)).split(
            separator: "\n", omittingEmptySubsequences: false
        ).joined(separator: "\n  ")
    }

    private static func quoted(_ text: String) -> String { JSON.string(text).serialized() }
}
