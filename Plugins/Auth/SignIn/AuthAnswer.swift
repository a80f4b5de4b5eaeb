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

    /// Signs a record in.
    ///
    /// - Parameters:
    ///   - token: what the client gets.
    ///   - method: how the record has proved who it is, for the second factor; nil when it need not.
    ///   - context: what `@request.context` reads in rules.
    /// - Throws: 403 when the collection's rule lets it not in, 400 when the second factor is not right.
    static func make(
        _ record: Record, of collection: AuthCollection, token: String, method: String?, context: String = "default",
        _ request: HTTPRequest
    ) throws -> HTTPResponse {
        guard try mayEnter(record, collection, request, context: context) else { throw refusal }
        if let method, let pending = try SecondFactor.check(record, collection, method, request, context: context) {
            return line(.json(["mfaId": .string(pending)], status: 401))
        }
        if method != nil, collection.hasAlerts { SignInOrigins.note(record, request) }
        let audience: Record.Audience = collection.isSuperusers ? .superuser : .owner
        let shown = try record.export(for: audience, expand: request.query("expand") ?? "")
        var writer = JSONWriter(capacity: shown.utf8.count + token.utf8.count + 32)
        writer.beginObject()
        writer.key("record" as StaticString)
        writer.raw(shown.utf8)
        writer.key("token" as StaticString)
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
