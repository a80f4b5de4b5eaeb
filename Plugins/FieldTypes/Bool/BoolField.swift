import PluginKit

/// True or false; with `required` always true.
struct BoolField: FieldType {
    static let id = "bool"
    static let settings: [FieldSetting] = [.string("help"), .bool("required")]

    private let isRequired: Bool

    init(_ settings: FieldSettings) { isRequired = settings.bool("required") }

    var shape: FieldShape { FieldShape(column: "BOOLEAN DEFAULT FALSE NOT NULL", form: .bool, zero: .bool(false)) }

    func normalise(_ value: BorrowedValue) -> Normalised {
        value.bool == nil ? .changed(.bool(Cast.bool(value))) : .unchanged
    }

    func validate(_ value: BorrowedValue, in context: FieldContext) throws {
        guard let bool = value.bool else { throw Failure.unsupportedValue }
        if isRequired, !bool { throw Failure.required }
    }

    static func validateSettings(_ check: SettingsCheck) { check.help() }
}
