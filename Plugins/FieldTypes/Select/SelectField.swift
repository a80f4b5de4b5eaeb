import PluginKit

/// One or several values out of a list.
struct SelectField: FieldType {
    static let id = "select"
    static let settings: [FieldSetting] = [
        .string("help"), .integer("maxSelect"), .bool("required"), .strings("values"),
    ]

    private let values: TextSet
    private let maxSelect: Int
    private let isRequired: Bool
    private var isMultiple: Bool { maxSelect > 1 }

    init(_ settings: FieldSettings) {
        values = TextSet(settings.strings("values"))
        maxSelect = max(settings.integer("maxSelect"), 1)
        isRequired = settings.bool("required")
    }

    var shape: FieldShape { .texts(isMultiple: isMultiple) }

    func normalise(_ value: BorrowedValue) -> Normalised { Cast.normalisedTexts(value, isMultiple: isMultiple) }

    func modify(
        _ modifier: FieldModifier, current: BorrowedValue, operand: BorrowedValue, in context: FieldContext
    ) throws -> Value? {
        Cast.modified(
            modifier, Cast.uniqueStrings(current), Cast.uniqueStrings(operand), isMultiple: isMultiple)
    }

    func validate(_ value: BorrowedValue, in context: FieldContext) throws {
        let selected = Cast.uniqueStrings(value)
        if selected.isEmpty {
            if isRequired { throw Failure.required }
            return
        }
        if selected.count > maxSelect {
            throw Failure(
                "validation_too_many_values", "Select no more than {{.maxSelect}}",
                params: ["maxSelect": .number(Double(maxSelect))])
        }
        if let wrong = selected.first(where: { !values.contains($0) }) {
            throw Failure("validation_invalid_value", "Invalid value {{.value}}", params: ["value": .string(wrong)])
        }
    }

    static func validateSettings(_ check: SettingsCheck) {
        check.help()
        let values = check.settings.strings("values")
        if values.isEmpty { check.fail("values", .required) }
        check.min("maxSelect", 0)
        check.max("maxSelect", max(values.count, 1))
    }
}
