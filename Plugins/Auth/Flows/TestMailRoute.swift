import AuthForms
import PluginKit

/// `POST /api/settings/test/email`: sends one of an auth collection's mails with made-up values, for superusers.
struct TestMailRoute: Sendable {
    let collections: AuthCollections
    let mails: AuthMails

    func add(to host: Host) throws {
        try host.route("POST", "/api/settings/test/email", audience: .superusers) { try answer($0) }
    }

    private func answer(_ request: HTTPRequest) throws -> HTTPResponse {
        let form = try Form(request)
        let (email, template) = (try form.text("email"), try form.text("template"))
        let name = try form.text("collection")
        var failures: [String: Failure] = [:]
        failures["email"] = .email(email)
        if template.isEmpty {
            failures["template"] = .required
        } else if MailKind(rawValue: template) == nil {
            failures["template"] = .notInList
        }
        let collection = try collections.find(name.isEmpty ? "_superusers" : name, request.records)
        if name.utf8.count > 255 {
            failures["collection"] = .lengthOutOfRange
        } else if collection?.isAuth != true {
            failures["collection"] = Failure(
                "validation_invalid_auth_collection", "Must be a valid auth collection id or name.")
        }
        guard failures.isEmpty, let kind = MailKind(rawValue: template), let collection else {
            throw ServiceError.badRequest("Failed to send the test email.", fields: failures)
        }
        do {
            try mails.send(try message(kind, collection, email, request), request.records)
        } catch let error as MailError {
            throw ServiceError.badRequest("Failed to send the test email. Raw error: \n" + error.reason)
        }
        return .noContent
    }

    private func message(
        _ kind: MailKind, _ collection: AuthCollection, _ email: String, _ request: HTTPRequest
    ) throws -> MailMessage {
        let record = try request.records.create(in: collection.id)
        for field in collection.shownFields where field.name != "email" {
            // What a field's type cannot hold becomes its zero value.
            try record.set(field.name, .text("__pb_test_\(field.name)__"))
        }
        try record.set("tokenKey", .text(request.host.randomText(50)))
        try record.set("email", .text(email))
        func token(_ kind: RecordToken.Kind) throws -> [String: String] {
            [
                "{TOKEN}": try RecordToken.make(
                    kind, for: record, of: collection, newEmail: kind == .emailChange ? email : nil)
            ]
        }
        let values: [String: String] =
            switch kind {
            case .verification: try token(.verification)
            case .passwordReset: try token(.passwordReset)
            case .emailChange: try token(.emailChange)
            case .oneTimePassword: ["{OTP}": "123456", "{OTP_ID}": "_PB_TEST_OTP_ID_"]
            case .loginAlert: ["{ALERT_INFO}": DateTime.now().text + " - TEST_IP TEST_USER_AGENT"]
            }
        return try mails.compose(
            kind, record, collection, values: values, to: email, meta: JSONObject(), request.records)
    }
}
