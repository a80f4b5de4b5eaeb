import AuthForms
import PluginKit
import WebTokens

/// `POST …/request-password-reset` and `POST …/confirm-password-reset`: a new password for who has the e-mail address.
struct PasswordResetRoutes: Sendable {
    let collections: AuthCollections
    let mails: AuthMails
    let locks: RecordLocks
    private let limit = ResendLimit()

    init(collections: AuthCollections, mails: AuthMails, locks: RecordLocks) {
        self.collections = collections
        self.mails = mails
        self.locks = locks
    }

    func add(to host: Host) throws {
        try host.route("POST", "/api/collections/{collection}/request-password-reset") { try ask($0) }
        try host.route("POST", "/api/collections/{collection}/confirm-password-reset") { try confirm($0) }
    }

    private func ask(_ request: HTTPRequest) throws -> HTTPResponse {
        let collection = try collections.authNamed(in: request)
        guard collection.allowsPasswords else {
            throw ServiceError.badRequest("The collection is not configured to allow password authentication.")
        }
        let email = try Form(request).email("email")
        guard let record = try collection.record(email: email, request.records) else { return .noContent }
        let key = collection.id + record.id
        guard limit.allows(key) else { return .noContent }
        limit.note(key)
        let token = try RecordToken.make(.passwordReset, for: record, of: collection)
        let message = try mails.compose(
            .passwordReset, record, collection, values: ["{TOKEN}": token], meta: ["token": .string(token)],
            request.records)
        mails.queue(message, "password reset", request.records) { [limit] isSent, _ in
            if !isSent { limit.forget(key) }
        }
        return .noContent
    }

    private func confirm(_ request: HTTPRequest) throws -> HTTPResponse {
        let collection = try collections.authNamed(in: request)
        let form = try Form(request)
        let (text, password) = (try form.text("token"), try form.text("password"))
        var failures: [String: Failure] = [:]
        failures["token"] = try fault(text, collection, request.records)
        failures["password"] = .length(password, collection.minPasswordLength...255)
        let confirmation = try form.text("passwordConfirm")
        if confirmation.isEmpty {
            failures["passwordConfirm"] = .required
        } else if !confirmation.utf8.elementsEqual(password.utf8) {
            failures["passwordConfirm"] = Failure("validation_values_mismatch", "Values don't match.")
        }
        if let invalid = ServiceError.invalidForm(failures) { throw invalid }
        let id = WebToken(text)?.claims["id"]?.stringValue ?? ""
        return try locks.with(id) {
            // Read again: the token ends with the password that it changed.
            guard let found = try RecordToken.record(text, .passwordReset, collections, request.records) else {
                throw ServiceError.badRequest("Invalid or expired password reset token.")
            }
            let record = found.record
            try record.set("password", .text(password))
            // Who got the mail has the address, if it is still the same.
            if !record.bool("verified"), record.text("email").isSame(as: found.claims["email"]?.stringValue ?? "") {
                try record.set("verified", .bool(true))
            }
            try request.save(record, or: "Failed to set new password.")
            limit.forget(collection.id + record.id)
            return .noContent
        }
    }

    private func fault(_ text: String, _ collection: AuthCollection, _ records: Records) throws -> Failure? {
        if text.isEmpty { return .required }
        guard let found = try RecordToken.record(text, .passwordReset, collections, records) else {
            return .invalidToken
        }
        return found.collection.id == collection.id ? nil : .tokenOfOtherCollection
    }
}
