import PluginKit

/// References to records of another collection.
struct RelationField: FieldType {
    static let id = "relation"
    static let settings: [FieldSetting] = [
        .bool("cascadeDelete"), .string("collectionId"), .string("help"), .integer("maxSelect"),
        .integer("minSelect"), .bool("required"),
    ]

    private let collectionID: String
    private let cascadeDelete: Bool
    private let minSelect: Int
    private let maxSelect: Int
    private let isRequired: Bool
    private var isMultiple: Bool { maxSelect > 1 }

    init(_ settings: FieldSettings) {
        collectionID = settings.string("collectionId")
        cascadeDelete = settings.bool("cascadeDelete")
        minSelect = settings.integer("minSelect")
        maxSelect = max(settings.integer("maxSelect"), 1)
        isRequired = settings.bool("required")
    }

    var shape: FieldShape {
        var shape = FieldShape.texts(isMultiple: isMultiple)
        shape.relation = .init(collectionID: collectionID, cascadeDelete: cascadeDelete, isRequired: isRequired)
        return shape
    }

    func normalise(_ value: BorrowedValue) -> Normalised { Cast.normalisedTexts(value, isMultiple: isMultiple) }

    func modify(
        _ modifier: FieldModifier, current: BorrowedValue, operand: BorrowedValue, in context: FieldContext
    ) throws -> Value? {
        Cast.modified(
            modifier, Cast.uniqueStrings(current), Cast.uniqueStrings(operand), isMultiple: isMultiple)
    }

    func validate(_ value: BorrowedValue, in context: FieldContext) throws {
        let ids = Cast.uniqueStrings(value)
        if ids.isEmpty {
            if isRequired { throw Failure.required }
            return
        }
        if minSelect > 0, ids.count < minSelect {
            throw Failure(
                "validation_not_enough_values", "Select at least {{.minSelect}}",
                params: ["minSelect": .number(Double(minSelect))])
        }
        if ids.count > maxSelect {
            throw Failure(
                "validation_too_many_values", "Select no more than {{.maxSelect}}",
                params: ["maxSelect": .number(Double(maxSelect))])
        }
        try validateExistence(ids, context)
    }

    private func validateExistence(_ ids: [String], _ context: FieldContext) throws {
        let found: Int
        do {
            found = try context.records().count(ids: ids, in: collectionID)
        } catch let error as HostError where error.isNotFound {
            throw Failure(
                "validation_missing_rel_collection", "Relation connection is missing or cannot be accessed")
        }
        if found != ids.count {
            throw Failure(
                "validation_missing_rel_records", "Failed to find all relation records with the provided ids")
        }
    }

    static func validateSettings(_ check: SettingsCheck) throws {
        check.help()
        let settings = check.settings
        let minSelect = settings.integer("minSelect")
        check.min("minSelect", 0)
        if minSelect > 0, settings.integer("maxSelect") == 0 { check.fail("maxSelect", .required) }
        check.min("maxSelect", minSelect)
        try validateCollection(check, settings.string("collectionId"))
    }

    private static func validateCollection(_ check: SettingsCheck, _ id: String) throws {
        if id.isEmpty { return check.fail("collectionId", .required) }
        if let original = check.original, original.string("collectionId") != id {
            return check.fail(
                "collectionId",
                Failure("validation_field_relation_change", "The relation collection cannot be changed."))
        }
        // A collection may refer to itself before it is saved.
        var related: JSON? = try check.records.collection(id)
        if related == nil, check.collection["id"]?.stringValue == id { related = check.collection }
        guard let related, related["id"]?.stringValue == id else {
            return check.fail(
                "collectionId",
                Failure(
                    "validation_field_relation_missing_collection", "The relation collection doesn't exist."))
        }
        if check.collection["type"]?.stringValue != "view", related["type"]?.stringValue == "view" {
            check.fail(
                "collectionId",
                Failure(
                    "validation_relation_field_non_view_base_collection",
                    "Only view collections are allowed to have relations to other views."))
        }
    }
}
