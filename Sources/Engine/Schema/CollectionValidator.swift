import JSON
import Store

/// Compares a draft with the rules for collections before it is saved.
///
/// The failures stand under the settings that they belong to, one per setting, the first found; both as PocketBase
/// answers them.
struct CollectionValidator {
    let draft: CollectionDraft
    /// The draft with its fields compiled.
    let collection: Collection
    /// The collection as it was before; nil when it is new.
    let original: Collection?
    /// The collections as they are saved now.
    let schema: Schema
    let environment: SchemaEnvironment
    let connection: Connection

    /// - Parameters:
    ///   - original: what a change is compared with; the collection itself for one that an import has just made.
    init(
        _ draft: CollectionDraft, original: Collection?, schema: Schema, environment: SchemaEnvironment,
        connection: Connection
    ) {
        self.draft = draft
        self.original = original
        self.schema = schema
        self.environment = environment
        self.connection = connection
        collection = draft.compiled(environment.types)
    }

    /// All failures; empty when the collection may be saved.
    func failures() throws -> [String: FailureTree] {
        var failures: [String: FailureTree] = [:]
        func set(_ key: String, _ failure: FieldFailure?) {
            if let failure { failures[key] = .failure(failure) }
        }
        set("id", idFailure())
        set("system", systemFailure())
        set("type", typeFailure())
        set("name", try nameFailure())
        if let tree = fieldsFailure() { failures["fields"] = tree }
        let isView = draft.knownType == .view
        set("listRule", ruleFailure(draft.rules.list, was: original?.rules.list))
        set("viewRule", ruleFailure(draft.rules.view, was: original?.rules.view))
        for (key, rule, old) in [
            ("createRule", draft.rules.create, original?.rules.create),
            ("updateRule", draft.rules.update, original?.rules.update),
            ("deleteRule", draft.rules.delete, original?.rules.delete),
        ] {
            set(
                key,
                isView && rule != nil
                    ? FieldFailure("validation_nil", "Must be blank.") : ruleFailure(rule, was: old)
            )
        }
        if let tree = try indexesFailure() { failures["indexes"] = tree }
        failures.merge(try optionsFailures()) { _, options in options }
        return failures
    }

    private func idFailure() -> FieldFailure? {
        if draft.id.isEmpty { return .required }
        if let original {
            return draft.id == original.id
                ? nil : FieldFailure("validation_values_mismatch", "Values don't match.")
        }
        return ValueRules.first(
            { ValueRules.length(draft.id, 1, 100) },
            { ValueRules.word(draft.id) },
            {
                schema.collection(id: draft.id) == nil
                    ? nil
                    : FieldFailure(
                        "validation_invalid_or_existing_id", "The model id is invalid or already exists."
                    )
            }
        )
    }

    private func systemFailure() -> FieldFailure? {
        guard let original, original.system != draft.system else { return nil }
        return FieldFailure("validation_collection_system_flag_change", "System collection state cannot be changed.")
    }

    private func typeFailure() -> FieldFailure? {
        if draft.type.isEmpty { return .required }
        if draft.knownType == nil { return FieldFailure("validation_in_invalid", "Must be a valid value.") }
        guard let original, original.type.rawValue != draft.type else { return nil }
        return FieldFailure("validation_collection_type_change", "Collection type cannot be changed.")
    }

    private func nameFailure() throws -> FieldFailure? {
        let name = draft.name
        let failure = ValueRules.first(
            { ValueRules.required(name) },
            { ValueRules.length(name, 1, 255) },
            { ValueRules.noVia(name) },
            { ValueRules.word(name) },
            {
                original?.system == true && original?.name != name
                    ? FieldFailure(
                        "validation_collection_system_name_change", "System collection name cannot be changed."
                    ) : nil
            }
        )
        if let failure { return failure }
        if schema.collections.contains(where: { $0.name.lowercased() == name.lowercased() && $0.id != original?.id }) {
            return FieldFailure(
                "validation_collection_name_exists", "Collection name must be unique (case insensitive)."
            )
        }
        if schema.collection(id: name) != nil {
            return FieldFailure(
                "validation_collection_name_id_duplicate", "The name must not match an existing collection id."
            )
        }
        if original?.name != name, schema.collection(name: name) == nil, try connection.hasTable(name) {
            return FieldFailure(
                "validation_collection_name_invalid", "The name shouldn't match with an existing internal table."
            )
        }
        return nil
    }

    /// What is wrong with a rule.
    ///
    /// - Parameter old: the rule as it was, which a system collection may not change.
    func ruleFailure(_ rule: String?, was old: String?) -> FieldFailure? {
        if let failure = compileFailure(rule ?? "") { return failure }
        guard let original, original.system, rule != old else { return nil }
        return FieldFailure("validation_collection_system_rule_change", "System collection API rule cannot be changed.")
    }

    private func compileFailure(_ rule: String) -> FieldFailure? {
        if rule.isEmpty { return nil }
        guard let error = environment.ruleError(rule, collection, schema.replacing(collection)) else { return nil }
        return FieldFailure("validation_invalid_rule", "Invalid rule. Raw error: " + error)
    }
}
