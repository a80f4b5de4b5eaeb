import Engine
import JSON

/// The field types of PocketBase as far as collections look at them: settings, columns, a few checks of settings. The
/// values themselves are the real plugins' business.
struct SchemaFieldType: FieldType {
    let id: String
    let pluginID = "test"
    let settings: [FieldSetting]
    let column: @Sendable (JSONObject) -> String
    let form: FieldShape.Form

    struct Refused: Error {}

    struct Instance: FieldInstance {
        let shape: FieldShape
        func normalise(_ value: Value) -> Value { value }
        func modify(_ modifier: FieldModifier, current: Value, operand: Value) -> Value? { nil }
        func validate(_ value: Value, in context: FieldContext) -> FieldFailure? { nil }
        func intercept(_ moment: RecordMoments, in context: FieldContext) throws {}
    }

    func validate(_ field: Field, in context: FieldSettingsContext) -> [String: FieldFailure] {
        var failures: [String: FieldFailure] = [:]
        if id == "relation" {
            let target = field.settings["collectionId"]?.stringValue ?? ""
            if target.isEmpty {
                failures["collectionId"] = .required
            } else if context.schema.collection(id: target) == nil {
                failures["collectionId"] = FieldFailure(
                    "validation_field_relation_missing_collection", "The relation collection doesn't exist."
                )
            }
        }
        if id == "select", field.settings["values"]?.arrayValue?.isEmpty ?? true { failures["values"] = .required }
        for (position, thumb) in (field.settings["thumbs"]?.arrayValue ?? []).enumerated() where thumb == "0x0" {
            failures["thumbs.\(position)"] = FieldFailure("validation_not_in_invalid", "Must not be in list.")
        }
        return failures
    }

    func open(_ settings: JSONObject, name: String, isSystem: Bool) throws -> any FieldInstance {
        if settings["pattern"] == "(" { throw Refused() }
        let isMultiple = (settings["maxSelect"]?.numberValue ?? 0) > 1
        let relation = settings["collectionId"]?.stringValue.map {
            FieldShape.Relation(collectionID: $0, cascadeDelete: false, isRequired: false)
        }
        return Instance(
            shape: FieldShape(
                column: column(settings), form: form, isMultiple: isMultiple, zero: .null, relation: relation
            )
        )
    }

    static let registry: FieldTypeRegistry = {
        func string(_ names: String...) -> [FieldSetting] { names.map { .init(name: $0, kind: .string, initial: "") } }
        func integer(_ names: String...) -> [FieldSetting] { names.map { .init(name: $0, kind: .integer, initial: 0) } }
        func bool(_ names: String...) -> [FieldSetting] { names.map { .init(name: $0, kind: .bool, initial: false) } }
        func list(_ names: String...) -> [FieldSetting] { names.map { .init(name: $0, kind: .strings, initial: []) } }
        func optional(_ names: String...) -> [FieldSetting] {
            names.map { .init(name: $0, kind: .optionalNumber, initial: nil) }
        }
        let common = string("help") + bool("required")
        let text = "TEXT DEFAULT '' NOT NULL"
        @Sendable func many(_ settings: JSONObject) -> String {
            (settings["maxSelect"]?.numberValue ?? 0) > 1 ? "JSON DEFAULT '[]' NOT NULL" : text
        }
        let types: [SchemaFieldType] = [
            .init(
                id: "text",
                settings: common + integer("min", "max") + string("pattern", "autogeneratePattern")
                    + bool("primaryKey"),
                column: {
                    $0["primaryKey"] == true
                        ? "TEXT PRIMARY KEY DEFAULT ('r'||lower(hex(randomblob(7)))) NOT NULL" : text
                }, form: .text
            ),
            .init(
                id: "password", settings: common + string("pattern") + integer("min", "max", "cost"),
                column: { _ in text }, form: .secret
            ),
            .init(
                id: "email", settings: common + list("exceptDomains", "onlyDomains"), column: { _ in text },
                form: .text
            ),
            .init(
                id: "url", settings: common + list("exceptDomains", "onlyDomains"), column: { _ in text }, form: .text
            ),
            .init(
                id: "editor", settings: common + integer("maxSize") + bool("convertURLs"), column: { _ in text },
                form: .text
            ),
            .init(id: "bool", settings: common, column: { _ in "BOOLEAN DEFAULT FALSE NOT NULL" }, form: .bool),
            .init(
                id: "number", settings: common + optional("min", "max") + bool("onlyInt"),
                column: { _ in "NUMERIC DEFAULT 0 NOT NULL" }, form: .number
            ),
            .init(id: "date", settings: common + string("min", "max"), column: { _ in text }, form: .date),
            .init(id: "autodate", settings: bool("onCreate", "onUpdate"), column: { _ in text }, form: .date),
            .init(
                id: "select", settings: common + list("values") + integer("maxSelect"), column: many, form: .list
            ),
            .init(
                id: "json", settings: common + integer("maxSize"), column: { _ in "JSON DEFAULT NULL" }, form: .json
            ),
            .init(
                id: "file",
                settings: common + integer("maxSize", "maxSelect") + list("mimeTypes", "thumbs") + bool("protected"),
                column: many, form: .list
            ),
            .init(
                id: "relation",
                settings: common + string("collectionId") + bool("cascadeDelete") + integer("minSelect", "maxSelect"),
                column: many, form: .list
            ),
            .init(
                id: "geoPoint", settings: common, column: { _ in #"JSON DEFAULT '{"lon":0,"lat":0}' NOT NULL"# },
                form: .json
            ),
        ]
        var registry = FieldTypeRegistry()
        for type in types { _ = registry.register(type) }
        return registry
    }()
}
