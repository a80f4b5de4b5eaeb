import AuthForms
import PluginKit
import WebTokens

/// `POST …/request-email-change` and `POST …/confirm-email-change`: another e-mail address, by a mail to the new one.
struct EmailChangeRoutes: Sendable {
    let collections: AuthCollections
    let mails: AuthMails
    let locks: RecordLocks

    func add(to host: Host) throws {
        try host.route("POST", "/api/collections/{collection}/request-email-change") { try ask($0) }
        try host.route("POST", "/api/collections/{collection}/confirm-email-change") { try confirm($0) }
    }

    private static let superusers = ServiceError.badRequest("All superusers can change their emails directly.")

    private func ask(_ request: HTTPRequest) throws -> HTTPResponse {
        let (record, collection) = try collections.requester(of: request)
        if collection.isSuperusers { throw Self.superusers }
        let email = try Form(request).text("newEmail")
        var failure = Failure.email(email)
        if failure == nil {
            if email.isSame(as: record.text("email")) {
                failure = Failure("validation_not_in_invalid", "Must not be in list.")
            } else if let other = try collection.record(email: email, request.records), other.id != record.id {
                failure = Failure("validation_invalid_new_email", "Invalid new email address.")
            }
        }
        if let failure, let invalid = ServiceError.invalidForm(["newEmail": failure]) { throw invalid }
        let token = try RecordToken.make(.emailChange, for: record, of: collection, newEmail: email)
        let message = try mails.compose(
            .emailChange, record, collection, values: ["{TOKEN}": token], to: email,
            meta: ["newEmail": .string(email), "token": .string(token)], request.records)
        do {
            try mails.send(message, request.records)
        } catch {
            request.host.log.error("Failed to send email change email", ["error": .string("\(error)")])
            throw ServiceError.badRequest("Failed to request email change.")
        }
        return .noContent
    }

    private func confirm(_ request: HTTPRequest) throws -> HTTPResponse {
        let collection = try collections.authNamed(in: request)
        if collection.isSuperusers { throw Self.superusers }
        let form = try Form(request)
        let (text, password) = (try form.text("token"), try form.text("password"))
        var failures: [String: Failure] = [:]
        failures["token"] = text.isEmpty ? .required : try fault(text, collection, request.records).failure
        failures["password"] = .length(password, 1...100)
        if failures["password"] == nil {
            let owner = failures["token"] == nil ? try fault(text, collection, request.records).record : nil
            // A wrong token says so itself: there is nothing to hide, and a hash would be given away.
            let isRight = try owner.map {
                try Bcrypt.verify(password, $0.text("password"), cost: collection.passwordCost)
            }
            if isRight != true {
                failures["password"] = Failure(
                    "validation_invalid_password", "Missing or invalid auth record password.")
            }
        }
        if let invalid = ServiceError.invalidForm(failures) { throw invalid }
        let id = WebToken(text)?.claims["id"]?.stringValue ?? ""
        return try locks.with(id) {
            // Read again: the token ends with the address that it changed.
            let found = try fault(text, collection, request.records)
            guard let record = found.record else { throw ServiceError.badRequest("Invalid or expired token.") }
            try record.set("email", .text(found.email))
            try record.set("verified", .bool(true))
            try request.save(record, or: "Failed to confirm email change.")
            return .noContent
        }
    }

    /// What is wrong with a token; without a failure, the record and its new address.
    private func fault(
        _ text: String, _ collection: AuthCollection, _ records: Records
    ) throws -> (failure: Failure?, record: Record?, email: String) {
        let email = WebToken(text)?.claims["newEmail"]?.stringValue ?? ""
        func wrong(_ failure: Failure) -> (Failure?, Record?, String) { (failure, nil, "") }
        if email.isEmpty {
            return wrong(
                Failure("validation_invalid_token_payload", "Invalid token payload - newEmail must be set."))
        }
        guard let found = try RecordToken.record(text, .emailChange, collections, records) else {
            return wrong(.invalidToken)
        }
        if found.collection.id != collection.id { return wrong(.tokenOfOtherCollection) }
        if try collection.record(email: email, records) != nil {
            return wrong(Failure("validation_invalid_token_email", "The new email address is invalid."))
        }
        return (nil, found.record, email)
    }
}
