import PluginKit

/// The answer that signs somebody in: `{"record":{…},"token":"…"}`.
enum AuthAnswer {
    /// Whether a record may sign in: nobody under a rule of null, everybody under an empty one, and everybody for whom a
    /// superuser asks.
    ///
    /// - Parameter context: what `@request.context` reads.
    static func mayEnter(
        _ record: Record, _ collection: AuthCollection, _ request: HTTPRequest, context: String
    ) throws -> Bool {
        if collection.authRule?.isEmpty ?? false { return true }
        let requester = request.auth
        if requester?.collectionName == "_superusers" { return true }
        guard let rule = collection.authRule else { return false }
        do {
            return try request.records.matches(record, rule: rule, auth: requester, context: context)
        } catch let error as HostError where error.isRefusal {
            // A rule that does not hold together lets nobody in.
            return false
        }
    }

    static let refusal = ServiceError.forbidden(
        "The request doesn't satisfy the collection requirements to authenticate.")

    /// Answers a record with a token, if it may sign in.
    ///
    /// - Parameters:
    ///   - context: what `@request.context` reads in rules.
    /// - Throws: 403 when the settings or the collection's rule let it not in.
    static func make(
        _ record: Record, of collection: AuthCollection, token: String, context: String = "default",
        _ request: HTTPRequest
    ) throws -> HTTPResponse {
        try admit(record, collection, request, context: context)
        return try show(record, collection, token: token, meta: nil, request)
    }

    /// - Throws: 403 when the settings or the collection's rule let a record not in.
    static func admit(
        _ record: Record, _ collection: AuthCollection, _ request: HTTPRequest, context: String
    ) throws {
        if collection.isSuperusers, !request.host.admitsSuperuser(from: request.remoteIP) {
            throw ServiceError.forbidden()
        }
        guard try mayEnter(record, collection, request, context: context) else { throw refusal }
    }

    /// - Parameter meta: what the method of signing in has to say beside the record; nil for nothing.
    static func show(
        _ record: Record, _ collection: AuthCollection, token: String, meta: JSON?, _ request: HTTPRequest
    ) throws -> HTTPResponse {
        let audience: Record.Audience = collection.isSuperusers ? .superuser : .owner
        let shown = try record.export(for: audience, expand: request.query("expand") ?? "")
        var writer = JSONWriter(capacity: shown.utf8.count + token.utf8.count + 32)
        writer.beginObject()
        if let meta {
            writer.key(plain: "meta")
            writer.raw(meta.serialized().utf8)
        }
        writer.key(plain: "record")
        writer.raw(shown.utf8)
        writer.key(plain: "token")
        writer.string(token)
        writer.endObject()
        return line(HTTPResponse(contentType: "application/json", body: writer.bytes))
    }

    /// JSON answers end with a new line.
    static func line(_ response: HTTPResponse) -> HTTPResponse {
        var response = response
        response.body.append(UInt8(ascii: "\n"))
        return response
    }
}
