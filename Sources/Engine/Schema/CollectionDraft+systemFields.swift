import JSON

/// The fields that every collection of a type has. They are added where they are missing, and what PocketBase relies on
/// is enforced where they are there.
extension CollectionDraft {
    /// The pattern of record ids where nothing else was chosen.
    package static let idPattern = "^[a-z0-9]+$"

    mutating func addSystemFields(_ types: FieldTypeRegistry) {
        switch knownType {
        case .base: addIDField(types)
        case .auth:
            addIDField(types)
            addPasswordField(types)
            addTokenKeyField(types)
            addEmailField(types)
            addFlagField("emailVisibility", types)
            addFlagField("verified", types)
        case .view, nil: break
        }
    }

    private func index(_ name: String, type: String) -> Int? {
        guard let index = fields.firstIndex(where: { $0.name == name }), fields[index].typeID == type else {
            return nil
        }
        return index
    }

    private mutating func addIDField(_ types: FieldTypeRegistry) {
        if let index = index("id", type: "text") {
            fields[index].system = true
            fields[index].hidden = false
            fields[index].settings["required"] = true
            fields[index].settings["primaryKey"] = true
            if fields[index].settings["pattern"]?.stringValue ?? "" == "" {
                fields[index].settings["pattern"] = .string(Self.idPattern)
            }
            return
        }
        let field = FieldDraft(
            type: "text", name: "id", system: true,
            settings: [
                "primaryKey": true, "required": true, "min": 15, "max": 15, "pattern": .string(Self.idPattern),
                "autogeneratePattern": "[a-z0-9]{15}",
            ], types: types
        )
        fields = [FieldDraft](adding: [field] + fields)
    }

    private mutating func addPasswordField(_ types: FieldTypeRegistry) {
        if let index = index("password", type: "password") {
            fields[index].system = true
            fields[index].hidden = true
            fields[index].settings["required"] = true
        } else {
            fields.add(
                FieldDraft(
                    type: "password", name: "password", system: true, hidden: true,
                    settings: ["required": true, "min": 8], types: types
                )
            )
        }
    }

    private mutating func addTokenKeyField(_ types: FieldTypeRegistry) {
        if let index = index("tokenKey", type: "text") {
            fields[index].system = true
            fields[index].hidden = true
            fields[index].settings["required"] = true
        } else {
            fields.add(
                FieldDraft(
                    type: "text", name: "tokenKey", system: true, hidden: true,
                    settings: ["required": true, "min": 30, "max": 60, "autogeneratePattern": "[a-zA-Z0-9]{50}"],
                    types: types
                )
            )
        }
        if IndexDefinition.uniqueIndex(on: "tokenKey", in: indexes) == nil {
            indexes.append("CREATE UNIQUE INDEX `\(indexName("tokenKey"))` ON `\(name)` (`tokenKey`)")
        }
    }

    private mutating func addEmailField(_ types: FieldTypeRegistry) {
        if let index = index("email", type: "email") {
            fields[index].system = true
            // Who sees an address is decided per record, by `emailVisibility`.
            fields[index].hidden = false
        } else {
            fields.add(
                FieldDraft(type: "email", name: "email", system: true, settings: ["required": true], types: types)
            )
        }
        if IndexDefinition.uniqueIndex(on: "email", in: indexes) == nil {
            indexes.append("CREATE UNIQUE INDEX `\(indexName("email"))` ON `\(name)` (`email`) WHERE `email` != ''")
        }
    }

    private mutating func addFlagField(_ field: String, _ types: FieldTypeRegistry) {
        if let index = index(field, type: "bool") {
            fields[index].system = true
        } else {
            fields.add(FieldDraft(type: "bool", name: field, system: true, types: types))
        }
    }

    private func indexName(_ field: String) -> String {
        let owner = !id.isEmpty ? id : !name.isEmpty ? name : RandomText.make(10, from: RandomText.lowercase)
        return String(decoding: "idx_\(field)_\(owner)".utf8.prefix(64), as: UTF8.self)
    }
}

extension CollectionDraft {
    /// What always holds for `_superusers`, whatever a request says: its name, sign-in by password and by nothing else
    /// alone.
    mutating func holdSuperusers() {
        name = "_superusers"
        authOptions = authOptions.setting(["oauth2", "enabled"], .bool(false))
        authOptions = authOptions.setting(["oauth2", "providers"], .array([]))
        authOptions = authOptions.setting(["passwordAuth", "enabled"], .bool(true))
        if authOptions["otp"]?["enabled"]?.boolValue ?? false {
            authOptions = authOptions.setting(["mfa", "enabled"], .bool(true))
        }
    }
}
