package import JSON

/// One field of a collection: what every field has, its type's settings, and the compiled instance.
package struct Field: Sendable {
    package var id: String
    package var name: String
    package var typeID: String
    package var system: Bool
    package var hidden: Bool
    package var presentable: Bool
    /// The settings of the type, complete, with `required`, `help` and everything else that is not common to all
    /// types.
    package var settings: JSONObject
    package var instance: any FieldInstance

    package init(
        id: String, name: String, typeID: String, system: Bool = false, hidden: Bool = false,
        presentable: Bool = false, settings: JSONObject, instance: any FieldInstance
    ) {
        self.id = id
        self.name = name
        self.typeID = typeID
        self.system = system
        self.hidden = hidden
        self.presentable = presentable
        self.settings = settings
        self.instance = instance
    }

    package var shape: FieldShape { instance.shape }
    package var isMissing: Bool { instance is MissingField }

    /// The field as the API and `_collections.fields` show it: keys sorted, as PocketBase writes them.
    package var json: JSON {
        var object = settings
        object["id"] = .string(id)
        object["name"] = .string(name)
        object["type"] = .string(typeID)
        object["system"] = .bool(system)
        object["hidden"] = .bool(hidden)
        object["presentable"] = .bool(presentable)
        return .object(object.sorted())
    }
}
