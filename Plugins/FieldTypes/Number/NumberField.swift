import PluginKit

/// A number. 0 is what PocketBase calls empty: limits do not apply to it. What is infinite or no number ("inf", or a sum
/// beyond all bounds) is null until `validate` refuses it.
struct NumberField: FieldType {
    static let id = "number"
    static let settings: [FieldSetting] = [
        .string("help"), .optionalNumber("max"), .optionalNumber("min"), .bool("onlyInt"), .bool("required"),
    ]

    private let max: Double?
    private let min: Double?
    private let onlyInt: Bool
    private let isRequired: Bool

    init(_ settings: FieldSettings) {
        max = settings.optionalNumber("max")
        min = settings.optionalNumber("min")
        onlyInt = settings.bool("onlyInt")
        isRequired = settings.bool("required")
    }

    var shape: FieldShape { FieldShape(column: "NUMERIC DEFAULT 0 NOT NULL", form: .number, zero: .number(0)) }

    func normalise(_ value: BorrowedValue) -> Normalised {
        value.number == nil ? .changed(Self.value(Cast.number(value))) : .unchanged
    }

    private static func value(_ number: Double) -> Value { number.isFinite ? .number(number) : .null }

    func modify(
        _ modifier: FieldModifier, current: BorrowedValue, operand: BorrowedValue, in context: FieldContext
    ) throws -> Value? {
        switch modifier {
        case .append: Self.value(Cast.number(current) + Cast.number(operand))
        case .remove: Self.value(Cast.number(current) - Cast.number(operand))
        case .prepend, .autogenerate: nil
        }
    }

    func validate(_ value: BorrowedValue, in context: FieldContext) throws {
        guard let number = value.number else {
            throw Failure("validation_not_a_number", "The submitted number is not properly formatted")
        }
        if number == 0 {
            if isRequired { throw Failure.required }
            return
        }
        if onlyInt, !Self.isInteger(number) { throw Self.notInteger }
        if let min, number < min { throw Self.below(min) }
        if let max, number > max {
            throw Failure(
                "validation_max_number_constraint", "Must be less or equal than {{.max}}",
                params: ["max": .number(max)])
        }
    }

    static func validateSettings(_ check: SettingsCheck) {
        check.help()
        let settings = check.settings
        let min = settings.optionalNumber("min")
        let max = settings.optionalNumber("max")
        if settings.bool("onlyInt") {
            if let min, !isInteger(min) { check.fail("min", notInteger) }
            if let max, !isInteger(max) { check.fail("max", notInteger) }
        }
        if let min, let max, max < min { check.fail("max", below(min)) }
    }

    /// Whole, and in the range of 64 bits.
    private static func isInteger(_ number: Double) -> Bool { Int64(exactly: number) != nil }

    private static var notInteger: Failure {
        Failure("validation_only_int_constraint", "Decimal numbers are not allowed")
    }

    private static func below(_ min: Double) -> Failure {
        Failure(
            "validation_min_number_constraint", "Must be greater or equal than {{.min}}", params: ["min": .number(min)])
    }
}
