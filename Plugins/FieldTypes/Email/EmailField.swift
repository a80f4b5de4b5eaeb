import PluginKit

/// An e-mail address.
struct EmailField: FieldType {
    static let id = "email"
    static let settings: [FieldSetting] = DomainSettings.settings + [.string("help"), .bool("required")]

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
        guard EmailSyntax.isAddress(utf8) else {
            throw Failure("validation_is_email", "Must be a valid email address")
        }
        if domains.isEmpty { return }
        let domain = utf8.lastIndex(of: UInt8(ascii: "@")).map { utf8[($0 + 1)...] } ?? utf8[...]
        guard domains.allow(String(decoding: domain, as: UTF8.self)) else {
            throw Failure("validation_email_domain_not_allowed", "Email domain is not allowed")
        }
    }

    static func validateSettings(_ check: SettingsCheck) {
        check.help()
        DomainSettings.validate(check)
    }
}
