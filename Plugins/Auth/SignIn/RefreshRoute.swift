import PluginKit
import WebTokens

/// `POST /api/collections/{collection}/auth-refresh`: a new token for one that still counts.
enum RefreshRoute {
    static func add(to host: Host, _ collections: AuthCollections) throws {
        try host.route(
            "POST", "/api/collections/{collection}/auth-refresh",
            quick: { request in
                let (record, collection) = try collections.requester(of: request)
                // Rules and relations may mean much reading.
                guard collection.authRule?.isEmpty ?? true, (request.query("expand") ?? "").isEmpty else { return nil }
                return try answer(request, record, collection)
            },
            slow: { request in
                let (record, collection) = try collections.requester(of: request)
                return try answer(request, record, collection)
            })
    }

    private static func answer(
        _ request: HTTPRequest, _ record: Record, _ collection: AuthCollection
    ) throws -> HTTPResponse {
        var token = bearer(request)
        // A token that does not say that it may be renewed stays as it is, so that an impersonator's has an end.
        if isTrue(AuthToken.parse(token)?.token.claims["refreshable"]) {
            token = try AuthToken.make(for: record, of: collection)
        }
        return try AuthAnswer.make(record, of: collection, token: token, request)
    }

    /// The token of the Authorization header, with or without `Bearer `.
    private static func bearer(_ request: HTTPRequest) -> String {
        let value = request.header("Authorization") ?? ""
        if value.utf8.count > 7, value.prefix(7).lowercased() == "bearer " { return String(value.dropFirst(7)) }
        return value
    }

    /// What PocketBase takes for true in a claim.
    private static func isTrue(_ claim: JSON?) -> Bool {
        switch claim {
        case .bool(let value): value
        case .number(let value): value != 0
        case .string(let text): ["1", "t", "T", "true", "TRUE", "True"].contains(text)
        default: false
        }
    }
}
