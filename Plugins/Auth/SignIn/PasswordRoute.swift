import PluginKit

/// `POST /api/collections/{collection}/auth-with-password`
struct PasswordRoute: Sendable {
    let collections: AuthCollections
    let signIn: SignIn

    func add(to host: Host) throws {
        try host.route("POST", "/api/collections/{collection}/auth-with-password") { request in
            try answer(request, try collections.authNamed(in: request))
        }
    }

    private func answer(_ request: HTTPRequest, _ collection: AuthCollection) throws -> HTTPResponse {
        guard collection.allowsPasswords else {
            throw ServiceError.forbidden("The collection is not configured to allow password authentication.")
        }
        let form = try Form(request)
        let identity = try form.text("identity")
        let password = try form.text("password")
        let field = try form.text("identityField")
        if let invalid = ServiceError.invalidForm(Self.failures(identity, password, field, collection)) {
            throw invalid
        }
        let fields = field.isEmpty ? collection.identityFields : [field]
        let record = try Self.find(identity, in: fields, of: collection, request.records)
        // Hashed for nobody too: the time must not tell who has an account.
        let isRight = Bcrypt.verify(password, record?.text("password") ?? "", cost: collection.passwordCost)
        guard isRight, let record else {
            throw ServiceError.badRequest("Failed to authenticate.")
        }
        return try signIn.complete(record, collection, method: "password", context: "password", request)
    }

    private static func failures(
        _ identity: String, _ password: String, _ field: String, _ collection: AuthCollection
    ) -> [String: Failure] {
        var failures: [String: Failure] = [:]
        for (name, value) in [("identity", identity), ("password", password)] {
            if value.isEmpty {
                failures[name] = .required
            } else if value.utf8.count > 255 {
                failures[name] = .lengthOutOfRange
            }
        }
        if field.utf8.count > 255 {
            failures["identityField"] = .lengthOutOfRange
        } else if !field.isEmpty, !collection.identityFields.contains(field) {
            failures["identityField"] = .notInList
        }
        return failures
    }

    /// The record that an identity names. The e-mail address is looked at first, whatever the order of the fields.
    private static func find(
        _ identity: String, in fields: [String], of collection: AuthCollection, _ records: Records
    ) throws -> Record? {
        var isLastUnusable = false
        for field in fields.filter({ $0 == "email" }) + fields.filter({ $0 != "email" }) {
            if fields.count > 1, field == "email", !EmailSyntax.isAddress(identity) { continue }
            // Without an index of its own a field names nobody for sure.
            guard let ignoresCase = collection.uniqueFields[field] else {
                isLastUnusable = true
                continue
            }
            isLastUnusable = false
            if let record = try records.first(
                collection.id, where: field, is: .text(identity), ignoreCase: ignoresCase)
            {
                return record
            }
        }
        if isLastUnusable { throw ServiceError(status: 500) }
        return nil
    }
}
