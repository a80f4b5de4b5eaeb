import PluginKit

/// The moment of a record's creation, of its last change, or both.
struct AutoDateField: FieldType {
    static let id = "autodate"
    static let settings: [FieldSetting] = [.bool("onCreate"), .bool("onUpdate")]

    private let onCreate: Bool
    private let onUpdate: Bool

    init(_ settings: FieldSettings) {
        onCreate = settings.bool("onCreate")
        onUpdate = settings.bool("onUpdate")
    }

    var shape: FieldShape {
        var shape = FieldShape.text(.date)
        if onCreate { shape.moments.insert(.beforeCreate) }
        if onUpdate { shape.moments.insert(.beforeUpdate) }
        shape.isReadOnly = true
        return shape
    }

    func normalise(_ value: BorrowedValue) -> Normalised { Cast.normalisedDate(value) }

    func intercept(_ moment: Moments, in context: FieldContext) throws {
        // A date that differs from the stored one was set on purpose, and stays.
        let stored = context.isNew ? "" : try context.original()?.text ?? ""
        let isUntouched = try context.withValue { !$0.isText || $0.utf8.elementsEqual(stored.utf8) } ?? true
        if isUntouched { try context.set(.text(DateTime.now().text)) }
    }

    static func validateSettings(_ check: SettingsCheck) {
        let settings = check.settings
        for name in ["onCreate", "onUpdate"] {
            let value = settings.bool(name)
            // A system field keeps what it was made with.
            if settings.isSystem, let original = check.original, original.bool(name) != value {
                check.fail(name, Failure("validation_values_mismatch", "Values don't match."))
            }
            if !settings.bool("onCreate"), !settings.bool("onUpdate") {
                check.fail(name, Failure("validation_required", "Either onCreate or onUpdate must be enabled"))
            }
        }
    }
}
