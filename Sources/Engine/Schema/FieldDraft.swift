package import JSON

/// A field whose settings may still change: what a collection's draft is made of.
package struct FieldDraft: Sendable, Equatable {
    package var id: String
    package var name: String
    package var typeID: String
    package var system = false
    package var hidden = false
    package var presentable = false
    /// The settings of the type, complete.
    package var settings: JSONObject

    /// A field as its type makes it, with some settings given.
    ///
    /// A type that no plugin provides has only the given settings; the draft is refused before it is saved.
    package init(
        type typeID: String, name: String, id: String = "", system: Bool = false, hidden: Bool = false,
        settings given: JSONObject = JSONObject(), types: FieldTypeRegistry
    ) {
        self.id = id
        self.name = name
        self.typeID = typeID
        self.system = system
        self.hidden = hidden
        settings = JSONObject((types[typeID]?.settings ?? []).map { ($0.name, $0.initial) })
        for (key, value) in given { settings[key] = value }
    }

    package init(_ field: Field) {
        id = field.id
        name = field.name
        typeID = field.typeID
        system = field.system
        hidden = field.hidden
        presentable = field.presentable
        settings = field.settings
    }

    /// Reads the field that a request sent.
    ///
    /// - Throws: when something has a wrong JSON type or no plugin provides the field's type.
    package init(request json: JSON, types: FieldTypeRegistry) throws(OptionShape.WrongType) {
        guard case .object(let object) = json, let typeID = object["type"]?.stringValue, let type = types[typeID]
        else { throw OptionShape.WrongType() }
        self.init(type: typeID, name: "", types: types)
        try readCommon(object)
        for setting in type.settings {
            if let value = object[setting.name] {
                settings[setting.name] = normalised(try setting.reading(value), setting.name)
            }
        }
    }

    /// Reads a field of `_collections`. Never fails: what a type does not understand it reads as never set, and all of
    /// a field whose type is missing is kept as it is.
    init(stored json: JSON, types: FieldTypeRegistry) {
        let object = json.objectValue ?? JSONObject()
        let typeID = object["type"]?.stringValue ?? ""
        self.init(type: typeID, name: "", types: types)
        try? readCommon(object)
        guard let type = types[typeID] else {
            let common: Set = ["id", "name", "type", "system", "hidden", "presentable"]
            settings = JSONObject(object.filter { !common.contains($0.key) }.map { ($0.key, $0.value) })
            return
        }
        for setting in type.settings {
            if let value = object[setting.name], let read = try? setting.reading(value) {
                settings[setting.name] = read
            }
        }
    }

    /// The bounds of a date field are times like its values; the kinds of settings do not know times.
    private func normalised(_ value: JSON, _ setting: String) -> JSON {
        guard typeID == "date", setting == "min" || setting == "max", let text = value.stringValue else { return value }
        return .string(DateText.normalise(text))
    }

    private mutating func readCommon(_ object: JSONObject) throws(OptionShape.WrongType) {
        func string(_ key: String, _ old: String) throws(OptionShape.WrongType) -> String {
            guard let value = object[key] else { return old }
            return try OptionShape.string.merging(value, over: .null).stringValue ?? ""
        }
        func bool(_ key: String, _ old: Bool) throws(OptionShape.WrongType) -> Bool {
            guard let value = object[key] else { return old }
            return try OptionShape.bool.merging(value, over: .null).boolValue ?? false
        }
        id = try string("id", id)
        name = try string("name", name)
        system = try bool("system", system)
        hidden = try bool("hidden", hidden)
        presentable = try bool("presentable", presentable)
    }

    /// The field with its settings compiled; one whose type is missing or refuses the settings becomes a
    /// ``MissingField``.
    package func compiled(_ types: FieldTypeRegistry) -> Field {
        let instance = try? types[typeID]?.open(settings, name: name, isSystem: system)
        return Field(
            id: id, name: name, typeID: typeID, system: system, hidden: hidden, presentable: presentable,
            settings: settings, instance: instance ?? MissingField(typeID: typeID)
        )
    }
}

extension FieldSetting {
    /// The value that a request or a row gives the setting.
    ///
    /// - Throws: when it has another JSON type.
    func reading(_ value: JSON) throws(OptionShape.WrongType) -> JSON {
        switch kind {
        case .string: return try OptionShape.string.merging(value, over: .null)
        case .integer: return try OptionShape.integer.merging(value, over: .null)
        case .bool: return try OptionShape.bool.merging(value, over: .null)
        case .strings: return try OptionShape.strings.merging(value, over: .null)
        case .json: return value
        case .number:
            if value.isNull { return .number(0) }
            guard value.numberValue != nil else { throw OptionShape.WrongType() }
            return value
        case .optionalNumber:
            guard value.isNull || value.numberValue != nil else { throw OptionShape.WrongType() }
            return value
        }
    }
}

extension [FieldDraft] {
    package func field(id: String) -> FieldDraft? { first { $0.id == id } }
    package func field(named name: String) -> FieldDraft? { first { $0.name == name } }

    /// Adds a field, or replaces the one with its id; a field without an id replaces the one with its name and takes
    /// over that one's id, or gets one made of its type and its name's checksum.
    package mutating func add(_ new: FieldDraft) {
        var new = new
        let index: Int?
        if new.id.isEmpty {
            let base = new.typeID + Checksum.text(new.name)
            new.id = base
            var suffix = 2
            while field(id: new.id) != nil, suffix < 1000 {
                new.id = base + String(suffix)
                suffix += 1
            }
            index = new.name.isEmpty ? nil : firstIndex { $0.name == new.name }
            if let index { new.id = self[index].id }
        } else {
            index = firstIndex { $0.id == new.id }
        }
        if let index { self[index] = new } else { append(new) }
    }

    /// The list that results from adding the fields one by one.
    package init(adding fields: some Sequence<FieldDraft>) {
        self = []
        for field in fields { add(field) }
    }

    /// The fields as `_collections.fields` holds them.
    var stored: JSON { .array(map(\.stored)) }
}

extension FieldDraft {
    /// As PocketBase writes a field: all keys in one object, sorted.
    var stored: JSON {
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
