import AuthForms
import PluginKit

/// Signing in with a password: `auth-with-password`.
final class PasswordMethod: AuthMethod {
    let name = "password"
    let title = "password"
    let defaults = JSONObject()
    private let collections: AuthCollections

    init(_ collections: AuthCollections) { self.collections = collections }

    func describe(_ options: JSONObject) -> JSONObject {
        let isOn = options["enabled"]?.boolValue ?? false
        return ["identityFields": isOn ? options["identityFields"] ?? [] : [], "enabled": .bool(isOn)]
    }

    func finish(_ attempt: AuthAttempt) throws -> AuthProof {
        guard let collection = try collections.find(attempt.collection, attempt.records) else {
            throw ServiceError.notFound()
        }
        let form = try Form(attempt.request)
        let identity = try form.text("identity")
        let password = try form.text("password")
        let field = try form.text("identityField")
        if let invalid = ServiceError.invalidForm(Self.failures(identity, password, field, collection)) {
            throw invalid
        }
        let fields = field.isEmpty ? collection.identityFields : [field]
        let record = try Self.find(identity, in: fields, of: collection, attempt.records)
        // Hashed for nobody too: the time must not tell who has an account.
        let isRight = try Bcrypt.verify(
            password, record?.text("password") ?? "",
            cost: record == nil ? try Self.usualCost(of: collection, attempt.records) : collection.passwordCost)
        guard isRight, let record else {
            throw ServiceError.badRequest("Failed to authenticate.")
        }
        return AuthProof(record)
    }

    /// The cost of the hashes that are there: the field's may have been changed since.
    private static func usualCost(of collection: AuthCollection, _ records: Records) throws -> Int {
        let first = try records.list(collection.id, limit: 1).first
        return Bcrypt.cost(of: first?.text("password") ?? "") ?? collection.passwordCost
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
