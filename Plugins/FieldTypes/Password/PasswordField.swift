import PluginKit

/// A password. The plain text stays in the record until it is about to be written; what is stored is its bcrypt hash.
struct PasswordField: FieldType {
    static let id = "password"
    static let settings: [FieldSetting] = [
        .integer("cost"), .string("help"), .integer("max"), .integer("min"), .string("pattern"), .bool("required"),
    ]

    private let cost: Int
    private let max: Int
    private let min: Int
    private let patternText: String
    private let pattern: Pattern?
    private let isRequired: Bool

    init(_ settings: FieldSettings) {
        let value = settings.integer("cost")
        cost = value <= 0 ? 10 : value
        let limit = settings.integer("max")
        max = limit <= 0 ? 71 : limit
        min = settings.integer("min")
        patternText = settings.string("pattern")
        // A pattern that is none matches nothing; it must not make the collection unusable.
        pattern = try? settings.pattern("pattern")
        isRequired = settings.bool("required")
    }

    var shape: FieldShape { .text(.secret, moments: [.beforeCreate, .beforeUpdate]) }

    func normalise(_ value: BorrowedValue) -> Normalised { Cast.normalisedText(value) }

    func validate(_ value: BorrowedValue, in context: FieldContext) throws {
        guard value.isText else { throw Failure.unsupportedValue }
        let utf8 = value.utf8
        if utf8.isEmpty {
            if isRequired { throw Failure.required }
            return
        }
        if try isHash(value, context) { return }
        // bcrypt takes no more, and libcrypt no NUL; the limits below count characters.
        if utf8.count > 72 || utf8.contains(0) { throw Failure.invalidValue }
        let length = utf8.reduce(0) { $1 & 0xC0 == 0x80 ? $0 : $0 + 1 }
        if length < min {
            throw Failure("validation_min_text_constraint", "Must be at least \(min) character(s)")
        }
        if length > max {
            throw Failure("validation_max_text_constraint", "Must be less than \(max) character(s)")
        }
        if !patternText.isEmpty, pattern?.matches(utf8) != true {
            throw Failure("validation_invalid_format", "Invalid value format")
        }
    }

    func intercept(_ moment: Moments, in context: FieldContext) throws {
        let plain = try context.withValue { value -> String? in
            try value.utf8.isEmpty || isHash(value, context) ? nil : value.text
        }
        guard let plain, let plain else { return }
        let hash = try Bcrypt.hash(plain, cost: cost, salt: context.host.randomBytes(16))
        Bcrypt.remember(hash)
        try context.set(.text(hash))
    }

    /// Whether the value is a hash already: the stored one, or one made by an earlier try to save the same record. What
    /// only looks like a hash is a password: else anybody could choose a hash that takes hours to check.
    private func isHash(_ value: BorrowedValue, _ context: FieldContext) throws -> Bool {
        if !context.isNew, let stored = try context.original()?.text, value.utf8.elementsEqual(stored.utf8) {
            return true
        }
        // Of the form of a hash, before it is compared with hashes.
        guard value.utf8.count == 60, value.utf8.starts(with: "$2".utf8), value.utf8.allSatisfy({ $0 < 0x80 }),
            let text = value.text
        else { return false }
        return Bcrypt.isRemembered(text)
    }

    static func validateSettings(_ check: SettingsCheck) {
        check.help()
        check.min("min", 1)
        check.max("min", 71)
        check.min("max", check.settings.integer("min"))
        check.max("max", 71)
        check.min("cost", 4)
        check.max("cost", 31)
        check.isPattern("pattern")
    }
}
