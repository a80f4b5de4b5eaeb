import PluginKit
import Synchronization

/// A web address.
struct URLField: FieldType {
    static let id = "url"
    static let settings: [FieldSetting] = DomainSettings.settings + [.string("help"), .bool("required")]

    /// The pattern is large, and the same for all fields: it is compiled when it is first needed.
    private static let pattern = Mutex<Pattern?>(nil)

    private let domains: DomainSettings
    private let isRequired: Bool

    init(_ settings: FieldSettings) {
        domains = DomainSettings(settings)
        isRequired = settings.bool("required")
    }

    var shape: FieldShape { .text() }

    func normalise(_ value: BorrowedValue) -> Normalised { Cast.normalisedText(value) }

    func validate(_ value: BorrowedValue, in context: FieldContext) throws {
        guard value.isText else { throw Failure.unsupportedValue }
        let utf8 = value.utf8
        if utf8.isEmpty {
            if isRequired { throw Failure.required }
            return
        }
        guard URLSyntax.isPlausible(utf8), try Self.compiledPattern(context).matches(utf8) else {
            throw Failure("validation_invalid_url", "Must be a valid url")
        }
        if domains.isEmpty { return }
        let host = ParsedURL(Array(utf8))?.host ?? []
        guard domains.allow(String(decoding: host, as: UTF8.self)) else {
            throw Failure("validation_url_domain_not_allowed", "Url domain is not allowed")
        }
    }

    private static func compiledPattern(_ context: FieldContext) throws -> Pattern {
        try pattern.withLock { pattern in
            if let pattern { return pattern }
            let compiled = try context.compile(URLSyntax.pattern)
            pattern = compiled
            return compiled
        }
    }

    static func validateSettings(_ check: SettingsCheck) {
        check.help()
        DomainSettings.validate(check)
    }
}
