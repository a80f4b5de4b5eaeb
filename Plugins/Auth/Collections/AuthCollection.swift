import AuthForms
import JSON

/// What signing in needs to know of a collection, read from its document. Immutable, shared by all threads.
final class AuthCollection: Sendable {
    /// A kind of token: what it is signed with beside the record's key, and how long it lives, in seconds.
    struct Token: Sendable {
        var secret: String
        var duration: Int

        init(_ json: JSON?) {
            secret = json?["secret"]?.stringValue ?? ""
            duration = json?["duration"]?.intValue ?? 0
        }
    }

    /// Something that can be on, with a duration in seconds.
    struct TimedOption: Sendable {
        var isEnabled: Bool
        var duration: Int

        init(_ json: JSON?) {
            isEnabled = json?["enabled"]?.boolValue ?? false
            duration = json?["duration"]?.intValue ?? 0
        }
    }

    let id: String
    let name: String
    /// Whether its records sign in at all.
    let isAuth: Bool
    /// nil: nobody signs in but through a superuser.
    let authRule: String?
    let allowsPasswords: Bool
    let identityFields: [String]
    /// Fields with a unique index of their own, each with whether it takes letters in any case.
    let uniqueFields: [String: Bool]
    /// bcrypt's, of new passwords.
    let passwordCost: Int
    let mfa: TimedOption
    let mfaRule: String
    let otp: TimedOption
    /// How many digits a one-time password has.
    let otpLength: Int
    /// Whether records are told of a sign-in from somewhere new.
    let hasAlerts: Bool
    let hasOAuth2: Bool
    /// Names of OAuth2 providers.
    let providers: [String]
    let authToken: Token
    /// Of the other kinds of tokens.
    let tokens: [RecordToken.Kind: Token]
    let templates: [MailKind: MailTemplate]
    /// Fields that mails may show, each with whether its text is put in as it is.
    let shownFields: [(name: String, isPlain: Bool)]
    /// The fewest characters of a password.
    let minPasswordLength: Int

    var isSuperusers: Bool { name == "_superusers" }

    /// - Parameter document: a collection as the host gives it, with its secrets.
    init(_ document: JSON) {
        id = document["id"]?.stringValue ?? ""
        name = document["name"]?.stringValue ?? ""
        isAuth = document["type"]?.stringValue == "auth"
        authRule = document["authRule"]?.stringValue
        let passwords = document["passwordAuth"]
        allowsPasswords = passwords?["enabled"]?.boolValue ?? false
        identityFields = passwords?["identityFields"]?.arrayValue?.compactMap(\.stringValue) ?? []
        var unique: [String: Bool] = [:]
        for index in document["indexes"]?.arrayValue ?? [] {
            guard let index = index.stringValue.flatMap({ UniqueIndex($0) }), unique[index.column] == nil else {
                continue
            }
            unique[index.column] = index.ignoresCase
        }
        uniqueFields = unique
        let field = document["fields"]?.arrayValue?.first { $0["name"]?.stringValue == "password" }
        let cost = field?["cost"]?.intValue ?? 0
        passwordCost = (4...31).contains(cost) ? cost : 10
        mfa = TimedOption(document["mfa"])
        mfaRule = document["mfa"]?["rule"]?.stringValue ?? ""
        otp = TimedOption(document["otp"])
        otpLength = document["otp"]?["length"]?.intValue ?? 0
        let minimum = field?["min"]?.intValue ?? 0
        minPasswordLength = minimum > 0 ? minimum : 1
        hasAlerts = document["authAlert"]?["enabled"]?.boolValue ?? false
        hasOAuth2 = document["oauth2"]?["enabled"]?.boolValue ?? false
        providers = document["oauth2"]?["providers"]?.arrayValue?.compactMap { $0["name"]?.stringValue } ?? []
        authToken = Token(document["authToken"])
        tokens = Dictionary(uniqueKeysWithValues: RecordToken.Kind.allCases.map { ($0, Token(document[$0.option])) })
        templates = Dictionary(
            uniqueKeysWithValues: MailKind.allCases.map { ($0, MailTemplate($0.template(of: document))) })
        shownFields = (document["fields"]?.arrayValue ?? []).compactMap { field in
            guard let name = field["name"]?.stringValue, field["hidden"]?.boolValue != true else { return nil }
            let plain = ["autodate", "date", "bool", "number"]
            return (name, plain.contains(field["type"]?.stringValue ?? ""))
        }
    }
}
