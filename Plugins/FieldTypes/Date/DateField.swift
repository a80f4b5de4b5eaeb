import PluginKit

/// A date with time, in UTC.
struct DateField: FieldType {
    static let id = "date"
    static let settings: [FieldSetting] = [.string("help"), .string("max"), .string("min"), .bool("required")]

    private let min: DateTime
    private let max: DateTime
    private let isRequired: Bool

    init(_ settings: FieldSettings) {
        min = DateTime(parsing: settings.string("min"))
        max = DateTime(parsing: settings.string("max"))
        isRequired = settings.bool("required")
    }

    var shape: FieldShape { .text(.date) }

    func normalise(_ value: BorrowedValue) -> Normalised { Cast.normalisedDate(value) }

    func validate(_ value: BorrowedValue, in context: FieldContext) throws {
        guard value.isText else { throw Failure.unsupportedValue }
        if value.utf8.isEmpty {
            if isRequired { throw Failure.required }
            return
        }
        if min.isZero, max.isZero { return }
        let date = Cast.date(value)
        if !min.isZero, date < min {
            throw Self.outside("validation_min_greater_equal_than_required", "no less", min)
        }
        if !max.isZero, date > max {
            throw Self.outside("validation_max_less_equal_than_required", "no greater", max)
        }
    }

    private static func outside(_ code: String, _ relation: String, _ limit: DateTime) -> Failure {
        let threshold = limit.goText(separator: " ", zone: " +0000 UTC")
        var failure = Failure(code, "Must be \(relation) than \(threshold)")
        failure.params = ["threshold": .string(limit.goText(separator: "T", zone: "Z"))]
        return failure
    }

    static func validateSettings(_ check: SettingsCheck) { check.help() }
}
