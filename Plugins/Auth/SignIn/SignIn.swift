import PluginKit

/// The last steps of every way to sign in: who may enter, the second factor, the alert, the token.
final class SignIn: Sendable {
    private let origins: SignInOrigins

    init(mails: AuthMails) { origins = SignInOrigins(mails: mails) }

    /// Signs a record in that has proved who it is.
    ///
    /// - Parameters:
    ///   - method: how it has proved that, e.g. `password`.
    ///   - context: what `@request.context` reads in rules.
    ///   - meta: what goes out beside record and token; nil for nothing.
    /// - Throws: 403 when the settings or the collection's rule let it not in, 400 when the second factor is not right.
    func complete(
        _ record: Record, _ collection: AuthCollection, method: String, context: String, meta: JSON? = nil,
        _ request: HTTPRequest
    ) throws -> HTTPResponse {
        let token = try AuthToken.make(for: record, of: collection)
        try AuthAnswer.admit(record, collection, request, context: context)
        if let pending = try SecondFactor.check(record, collection, method, request, context: context) {
            return AuthAnswer.line(.json(["mfaId": .string(pending)], status: 401))
        }
        if collection.hasAlerts { origins.note(record, collection, request) }
        return try AuthAnswer.show(record, collection, token: token, meta: meta, request)
    }
}
