import JSON

/// Checks the settings of single fields: what all fields have here, the rest by their types.
struct FieldChecker {
    /// The collection as it is about to be saved.
    let collection: Collection
    let original: Collection?
    /// The collections as they are saved now.
    let schema: Schema
    let types: FieldTypeRegistry

    /// Names that mean something else in filters and in records' JSON.
    private static let reserved: Set = [
        "null", "true", "false", "_rowid_", "collectionId", "collectionName", "expand",
    ]

    /// What is wrong with a field, by setting; a setting that is a list has its failures by position.
    func failures(of field: Field) -> [String: FailureTree] {
        var failures: [String: FailureTree] = [:]
        if let type = types[field.typeID] {
            let context = FieldSettingsContext(
                collection: collection, original: original, schema: schema, fieldID: field.id
            )
            for (key, failure) in type.validate(field, in: context) { add(failure, at: key, to: &failures) }
            if failures.isEmpty, field.isMissing {
                failures["type"] = .failure(
                    FieldFailure("validation_invalid_field_settings", "The field type refuses the settings.")
                )
            }
        } else {
            failures["type"] = .failure(
                FieldFailure(
                    "validation_missing_field_type", "The field type \"\(field.typeID)\" is not installed."
                )
            )
        }
        if let failure = ValueRules.first({ ValueRules.required(field.id) }, { ValueRules.length(field.id, 1, 100) }) {
            failures["id"] = .failure(failure)
        }
        if let failure = Self.nameFailure(field.name) { failures["name"] = .failure(failure) }
        if let help = field.settings["help"]?.stringValue, let failure = ValueRules.length(help, 1, 300) {
            failures["help"] = .failure(failure)
        }
        return failures
    }

    static func nameFailure(_ name: String) -> FieldFailure? {
        ValueRules.first(
            { ValueRules.required(name) },
            { ValueRules.length(name, 1, 100) },
            { ValueRules.word(name) },
            { reserved.contains(name) ? FieldFailure("validation_not_in_invalid", "Must not be in list.") : nil },
            { ValueRules.noVia(name) }
        )
    }

    /// A type names a failure inside a list as `thumbs.0`.
    private func add(_ failure: FieldFailure, at key: String, to failures: inout [String: FailureTree]) {
        guard let dot = key.firstIndex(of: ".") else {
            failures[key] = .failure(failure)
            return
        }
        let (outer, inner) = (String(key[..<dot]), String(key[key.index(after: dot)...]))
        var nested: [String: FailureTree] = [:]
        if case .nested(let known) = failures[outer] { nested = known }
        nested[inner] = .failure(failure)
        failures[outer] = .nested(nested)
    }
}
