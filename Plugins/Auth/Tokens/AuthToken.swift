import Glibc
import PluginKit
import WebTokens

/// The tokens that requests are made with: `{"collectionId","exp","id","refreshable","type":"auth"}`, signed with the
/// record's key and the collection's secret together, so that a change of either ends them.
enum AuthToken {
    /// A new token of a record.
    ///
    /// - Parameters:
    ///   - seconds: how long it lives; nil for as long as the collection says.
    ///   - isRefreshable: whether it may be exchanged for a new one.
    static func make(
        for record: Record, of collection: AuthCollection, nanoseconds: Int64? = nil, isRefreshable: Bool = true
    ) throws -> String {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        var end = Int64(time.tv_sec)
        if let nanoseconds, nanoseconds > 0 {
            end += nanoseconds / 1_000_000_000
            if Int64(time.tv_nsec) + nanoseconds % 1_000_000_000 >= 1_000_000_000 { end += 1 }
        } else {
            end += Int64(collection.authToken.duration)
        }
        // In the order of their names, as Go writes them.
        var claims = JSONWriter(capacity: 160, options: .init(htmlEscape: true))
        claims.beginObject()
        claims.key(plain: "collectionId")
        claims.string(collection.id)
        claims.key(plain: "exp")
        claims.int(end)
        claims.key(plain: "id")
        claims.string(record.id)
        claims.key(plain: "refreshable")
        claims.bool(isRefreshable)
        claims.key(plain: "type")
        claims.string("auth")
        claims.endObject()
        let key = record.text("tokenKey") + collection.authToken.secret
        // Neither half alone may ever sign.
        guard !collection.authToken.secret.isEmpty, !record.text("tokenKey").isEmpty,
            let token = claims.withBytes({ WebToken.sign($0, key: key) })
        else {
            throw ServiceError(status: 500, message: "Failed to create auth token.")
        }
        return token
    }

    /// The claims of a token for requests; nil for other tokens. Its signature is not checked.
    static func parse(_ token: String) -> (token: WebToken, collectionID: String, recordID: String)? {
        guard let token = WebToken(token), token.claims["type"]?.stringValue == "auth",
            let collection = token.claims["collectionId"]?.stringValue, !collection.isEmpty,
            let record = token.claims["id"]?.stringValue, !record.isEmpty
        else { return nil }
        return (token, collection, record)
    }
}
