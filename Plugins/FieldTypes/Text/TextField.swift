import PluginKit

/// Plain text; with `primaryKey` the id of a record.
struct TextField: FieldType {
    static let id = "text"
    static let settings: [FieldSetting] = [
        .string("autogeneratePattern"), .string("help"), .integer("max"), .integer("min"), .string("pattern"),
        .bool("primaryKey"), .bool("required"),
    ]

    /// What PocketBase's own ids are made of: such ids need no further looking at.
    private static let usualKeyPattern = "^[a-z0-9]+$"

    private let autogeneratePattern: String
    private let max: Int
    private let min: Int
    private let patternText: String
    private let pattern: Pattern?
    private let isPrimaryKey: Bool
    private let isRequired: Bool

    init(_ settings: FieldSettings) throws {
        autogeneratePattern = settings.string("autogeneratePattern")
        let limit = settings.integer("max")
        max = limit == 0 ? 5000 : limit
        min = settings.integer("min")
        patternText = settings.string("pattern")
        // A pattern that is none matches nothing; it must not make the collection unusable.
        pattern = try? settings.pattern("pattern")
        isPrimaryKey = settings.bool("primaryKey")
        isRequired = settings.bool("required") || isPrimaryKey
    }

    var shape: FieldShape {
        var shape = FieldShape.text()
        // The default is for rows that other programs insert.
        if isPrimaryKey { shape.column = "TEXT PRIMARY KEY DEFAULT ('r'||lower(hex(randomblob(7)))) NOT NULL" }
        if !autogeneratePattern.isEmpty { shape.moments = [.beforeValidateCreate, .beforeCreate] }
        return shape
    }

    func normalise(_ value: BorrowedValue) -> Normalised { Cast.normalisedText(value) }

    func modify(
        _ modifier: FieldModifier, current: BorrowedValue, operand: BorrowedValue, in context: FieldContext
    ) throws -> Value? {
        guard modifier == .autogenerate else { return nil }
        let prefix = Cast.text(operand)
        // A pattern that nothing can be generated from adds nothing.
        let generated = autogeneratePattern.isEmpty ? nil : try? context.random(matching: autogeneratePattern)
        return .text(prefix + (generated ?? ""))
    }

    func intercept(_ moment: Moments, in context: FieldContext) throws {
        guard context.isNew, try context.withValue({ $0.utf8.isEmpty }) != false else { return }
        try context.set(.text(try context.random(matching: autogeneratePattern)))
    }

    func validate(_ value: BorrowedValue, in context: FieldContext) throws {
        guard value.isText else { throw Failure.unsupportedValue }
        if isPrimaryKey, try !needsValidation(value, context) { return }
        try validate(value.utf8)
    }

    /// Checks a key against the stored one or the others.
    ///
    /// - Returns: false for a stored key: it may come from elsewhere and break the rules of today.
    private func needsValidation(_ value: BorrowedValue, _ context: FieldContext) throws -> Bool {
        if !context.isNew {
            let old = try context.original()?.text ?? ""
            if !value.utf8.elementsEqual(old.utf8) {
                throw Failure("validation_pk_change", "The record primary key cannot be changed.")
            }
            return old.isEmpty
        }
        if patternText != Self.usualKeyPattern, let text = value.text,
            try context.records().first(context.collectionID, where: "id", is: .text(text), ignoreCase: true) != nil
        {
            throw Failure("validation_pk_invalid", "The record primary key is invalid or already exists.")
        }
        return true
    }

    private func validate(_ utf8: UnsafeBufferPointer<UInt8>) throws {
        if utf8.isEmpty {
            if isRequired { throw Failure.required }
            return
        }
        // Characters are counted as Unicode scalars, so not by the bytes that continue one.
        let length = utf8.reduce(0) { $1 & 0xC0 == 0x80 ? $0 : $0 + 1 }
        if min > 0, length < min {
            throw Failure(
                "validation_min_text_constraint", "Must be at least {{.min}} character(s).",
                params: ["min": .number(Double(min))])
        }
        if max > 0, length > max {
            throw Failure(
                "validation_max_text_constraint", "Must be no more than {{.max}} character(s).",
                params: ["max": .number(Double(max))])
        }
        if !patternText.isEmpty, pattern?.matches(utf8) != true {
            throw Failure("validation_invalid_format", "Invalid value format.")
        }
        if isPrimaryKey, patternText != Self.usualKeyPattern { try PrimaryKey.validate(utf8, length) }
    }

    static func validateSettings(_ check: SettingsCheck) throws {
        let settings = check.settings
        check.help()
        check.min("min", 0)
        check.max("min")
        check.min("max", settings.integer("min"))
        check.max("max")
        check.isPattern("pattern")
        check.isPattern("autogeneratePattern")
        if settings.bool("primaryKey") { PrimaryKey.validateSettings(check) }
        try validateAutogenerate(check)
    }

    /// Text that is generated must be text that is allowed; ten tries find most of what could go wrong.
    private static func validateAutogenerate(_ check: SettingsCheck) throws {
        let pattern = check.settings.string("autogeneratePattern")
        guard !pattern.isEmpty, !check.hasFailed("autogeneratePattern") else { return }
        let field = try TextField(check.settings)
        for _ in 0..<10 {
            guard let text = try? check.random(matching: pattern) else {
                check.fail(
                    "autogeneratePattern",
                    Failure("validation_invalid_autogenerate_pattern", "No text can be generated from this pattern."))
                return
            }
            do {
                var text = text
                try text.withUTF8 { try field.validate($0) }
            } catch is Failure {
                let quoted = JSON.string(text).serialized()
                check.fail(
                    "autogeneratePattern",
                    Failure(
                        "validation_invalid_autogenerate_pattern_value",
                        "The provided autogenerate pattern could produce invalid field values, ex.: \(quoted)"))
                return
            }
        }
    }
}
