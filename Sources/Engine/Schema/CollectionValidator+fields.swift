import JSON

extension CollectionValidator {
    /// What is wrong with the fields: with one of them by its position, or with the list as a whole.
    func fieldsFailure() -> FailureTree? {
        let isView = draft.knownType == .view
        return duplicateFailure()
            ?? missingFailure()
            ?? (isView ? nil : systemFieldsFailure() ?? typeChangeFailure())
            ?? reservedFailure()
            ?? settingsFailure()
    }

    private func byPosition(_ failures: [Int: FailureTree]) -> FailureTree? {
        failures.isEmpty ? nil : .nested(Dictionary(uniqueKeysWithValues: failures.map { (String($0), $1) }))
    }

    private func duplicateFailure() -> FailureTree? {
        var ids: Set<String> = []
        var names: Set<String> = []
        for (position, field) in draft.fields.enumerated() {
            if !ids.insert(field.id).inserted {
                let text = "Duplicated or invalid field id \(GoQuote.quote(field.id))"
                return byPosition([
                    position: .nested(["id": .failure(FieldFailure("validation_duplicated_field_id", text))])
                ])
            }
            // Columns are found in any case.
            if !names.insert(field.name.lowercased()).inserted {
                let failure = FieldFailure(
                    "validation_duplicated_field_name", "Duplicated or invalid field name \(field.name)",
                    params: ["fieldName": .string(field.name)]
                )
                return byPosition([position: .nested(["name": .failure(failure)])])
            }
        }
        return nil
    }

    private func missingFailure() -> FailureTree? {
        if draft.fields.isEmpty { return .failure(.required) }
        func field(_ name: String, _ type: String) -> FieldDraft? {
            draft.fields.first { $0.name == name }.flatMap { $0.typeID == type ? $0 : nil }
        }
        guard let id = field("id", "text"), id.settings["primaryKey"]?.boolValue == true else {
            return .failure(
                FieldFailure("validation_missing_primary_key", "Missing or invalid \"id\" PK field.")
            )
        }
        guard draft.knownType == .auth else { return nil }
        for (name, type, isHidden) in [
            ("password", "password", true), ("tokenKey", "text", true), ("email", "email", false),
            ("emailVisibility", "bool", false), ("verified", "bool", false),
        ] {
            guard let found = field(name, type) else {
                return .failure(
                    FieldFailure("validation_missing_\(name)_field", "System \"\(name)\" field is required.")
                )
            }
            if isHidden, !found.hidden || !found.system {
                let text = "The field must be marked as \"System\" and \"Hidden\"."
                return .nested([name: .failure(FieldFailure("validation_must_be_system_and_hidden", text))])
            }
            if !found.system {
                let text = "The field must be marked as \"System\"."
                return .nested([name: .failure(FieldFailure("validation_must_be_system", text))])
            }
        }
        return nil
    }

    private func systemFieldsFailure() -> FailureTree? {
        for old in original?.fields ?? [] where old.system && draft.fields.field(id: old.id)?.name != old.name {
            return .failure(
                FieldFailure("validation_system_field_change", "System fields cannot be deleted or renamed.")
            )
        }
        return nil
    }

    private func typeChangeFailure() -> FailureTree? {
        var failures: [Int: FailureTree] = [:]
        for (position, field) in draft.fields.enumerated() {
            if let old = original?.field(id: field.id), old.typeID != field.typeID {
                failures[position] = .failure(
                    FieldFailure("validation_field_type_change", "Field type cannot be changed.")
                )
            }
        }
        return byPosition(failures)
    }

    /// Names under which requests of auth collections send something else.
    private func reservedFailure() -> FailureTree? {
        guard draft.knownType == .auth else { return nil }
        var failures: [Int: FailureTree] = [:]
        for (position, field) in draft.fields.enumerated()
        where ["passwordConfirm", "oldPassword"].contains(field.name) {
            let failure = FieldFailure(
                "validation_reserved_field_name", "The field name is reserved and cannot be used."
            )
            failures[position] = .nested(["name": .failure(failure)])
        }
        return byPosition(failures)
    }

    private func settingsFailure() -> FailureTree? {
        let checker = FieldChecker(
            collection: collection, original: schema.collection(id: draft.id), schema: schema,
            types: environment.types
        )
        var failures: [Int: FailureTree] = [:]
        for (position, field) in collection.fields.enumerated() {
            let found = checker.failures(of: field)
            if !found.isEmpty { failures[position] = .nested(found) }
        }
        return byPosition(failures)
    }
}
