import AuthForms
import PluginKit
import WebTokens

/// `POST …/request-verification` and `POST …/confirm-verification`: the record's owner has its e-mail address.
struct VerificationRoutes: Sendable {
    let collections: AuthCollections
    let mails: AuthMails
    private let limit = ResendLimit()

    init(collections: AuthCollections, mails: AuthMails) {
        self.collections = collections
        self.mails = mails
    }

    func add(to host: Host) throws {
        try host.route("POST", "/api/collections/{collection}/request-verification") { try ask($0) }
        try host.route("POST", "/api/collections/{collection}/confirm-verification") { try confirm($0) }
    }

    private func collection(_ request: HTTPRequest) throws -> AuthCollection {
        let collection = try collections.authNamed(in: request)
        if collection.isSuperusers { throw ServiceError.badRequest("All superusers are verified by default.") }
        return collection
    }

    private func ask(_ request: HTTPRequest) throws -> HTTPResponse {
        let collection = try collection(request)
        let email = try Form(request).email("email")
        guard let record = try collection.record(email: email, request.records) else { return .noContent }
        let key = collection.id + record.id
        guard !record.bool("verified"), limit.allows(key) else { return .noContent }
        limit.note(key)
        let token = try RecordToken.make(.verification, for: record, of: collection)
        let message = try mails.compose(
            .verification, record, collection, values: ["{TOKEN}": token], meta: ["token": .string(token)],
            request.records)
        mails.queue(message, "verification", request.records)
        return .noContent
    }

    private func confirm(_ request: HTTPRequest) throws -> HTTPResponse {
        let collection = try collection(request)
        let text = try Form(request).text("token")
        var failures: [String: Failure] = [:]
        failures["token"] = try fault(text, collection, request.records)
        if let invalid = ServiceError.invalidForm(failures) { throw invalid }
        guard let record = try RecordToken.record(text, .verification, collections, request.records)?.record else {
            throw ServiceError.badRequest("Invalid or expired verification token.")
        }
        if !record.bool("verified") {
            try record.set("verified", .bool(true))
            // Whoever made the account may not have been the owner of the address.
            if !collection.allowsPasswords { try record.set("password", .text(request.host.randomText(30))) }
            try request.save(record, or: "An error occurred while saving the verified state.")
        }
        limit.forget(collection.id + record.id)
        return .noContent
    }

    private func fault(_ text: String, _ collection: AuthCollection, _ records: Records) throws -> Failure? {
        if text.isEmpty { return .required }
        let email = WebToken(text)?.claims["email"]?.stringValue ?? ""
        if email.isEmpty { return Failure("validation_invalid_token_claims", "Missing email token claim.") }
        guard let found = try RecordToken.record(text, .verification, collections, records) else {
            return .invalidToken
        }
        if found.collection.id != collection.id { return .tokenOfOtherCollection }
        return found.record.text("email").isSame(as: email)
            ? nil
            : Failure(
                "validation_token_email_mismatch",
                "The record email doesn't match with the requested token claims.")
    }
}
