import AuthForms
import PluginKit

/// Multi-factor authentication: the first proof opens a session in `_mfas`, a second one of another method ends it.
enum SecondFactor {
    /// Checks whether a proof is enough.
    ///
    /// - Parameter method: how the record has just proved who it is, e.g. `password`.
    /// - Returns: nil when it is signed in; the id of a session when one more proof is needed.
    static func check(
        _ record: Record, _ collection: AuthCollection, _ method: String, _ request: HTTPRequest, context: String
    ) throws -> String? {
        guard collection.mfa.isEnabled else { return nil }
        let records = request.records
        if !collection.mfaRule.isEmpty {
            do {
                guard
                    try records.matches(record, rule: collection.mfaRule, auth: request.auth, context: context)
                else { return nil }
            } catch let error as HostError where error.isRefusal {
                throw ServiceError.badRequest("Failed to authenticate.")
            }
        }
        var session = request.query("mfaId") ?? ""
        if session.isEmpty { session = try Form(request).text("mfaId") }
        if session.isEmpty { return try begin(record, method, records) }
        try end(session, record, collection, method, records)
        return nil
    }

    /// Who has given a first proof in the session that a request names; nil when there is no such session any more.
    static func pending(_ collection: AuthCollection, _ request: HTTPRequest) throws -> Record? {
        guard collection.mfa.isEnabled else { return nil }
        var id = request.query("mfaId") ?? ""
        // What is wrong with the body, the method says.
        if id.isEmpty { id = (try? Form(request).text("mfaId")) ?? "" }
        guard !id.isEmpty, let session = try request.records.find("_mfas", id: id),
            session.text("collectionRef") == collection.id, !isOver(session, collection)
        else { return nil }
        return try request.records.find(collection.id, id: session.text("recordRef"))
    }

    private static func isOver(_ session: Record, _ collection: AuthCollection) -> Bool {
        DateTime.now().seconds - DateTime(parsing: session.text("created")).seconds > Int64(collection.mfa.duration)
    }

    private static func begin(_ record: Record, _ method: String, _ records: Records) throws -> String {
        let session = try records.create(in: "_mfas")
        try session.set("collectionRef", .text(record.collectionID))
        try session.set("recordRef", .text(record.id))
        try session.set("method", .text(method))
        try records.save(session)
        return session.id
    }

    private static func end(
        _ id: String, _ record: Record, _ collection: AuthCollection, _ method: String, _ records: Records
    ) throws {
        guard let session = try records.find("_mfas", id: id) else {
            throw ServiceError.badRequest("Invalid or expired MFA session.")
        }
        guard !isOver(session, collection) else {
            try records.delete(session)
            throw ServiceError.badRequest("Invalid or expired MFA session.")
        }
        guard session.text("recordRef").isSame(as: record.id), session.text("collectionRef") == record.collectionID
        else {
            throw ServiceError.badRequest("Invalid MFA session.")
        }
        guard session.text("method") != method else {
            throw ServiceError.badRequest("A different authentication method is required.")
        }
        // Whoever deletes it has used it: of two requests with one session only one gets in.
        do {
            try records.delete(session)
        } catch let error as HostError where error.isNotFound || error.isRefusal {
            throw ServiceError.badRequest("Invalid or expired MFA session.")
        }
    }
}
