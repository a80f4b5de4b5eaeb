import Glibc
import PluginKit
import WebTokens

/// The tokens that go out by mail: claims `collectionId`, `email`, `exp`, `id`, `type` (and `newEmail`), signed like the
/// tokens for requests, each kind with a secret of its own, so that none can be used for another's purpose.
enum RecordToken {
    enum Kind: String, CaseIterable {
        case verification, passwordReset, emailChange

        /// The collection's option that has its secret and duration.
        var option: String { rawValue + "Token" }
    }

    /// A new token.
    static func make(
        _ kind: Kind, for record: Record, of collection: AuthCollection, newEmail: String? = nil
    ) throws -> String {
        let token = collection.tokens[kind]
        var claims = JSONWriter(capacity: 200, options: .init(htmlEscape: true))
        claims.beginObject()
        claims.key(plain: "collectionId")
        claims.string(collection.id)
        claims.key(plain: "email")
        claims.string(record.text("email"))
        claims.key(plain: "exp")
        claims.int(Int64(time(nil)) + Int64(token?.duration ?? 0))
        claims.key(plain: "id")
        claims.string(record.id)
        if let newEmail {
            claims.key(plain: "newEmail")
            claims.string(newEmail)
        }
        claims.key(plain: "type")
        claims.string(kind.rawValue)
        claims.endObject()
        guard let token, !token.secret.isEmpty, !record.text("tokenKey").isEmpty,
            let text = claims.withBytes({ WebToken.sign($0, key: record.text("tokenKey") + token.secret) })
        else { throw ServiceError(status: 500, message: "Failed to create a token.") }
        return text
    }

    /// The record that a token is of; nil when it is none of this kind, over, or not signed by us for that record as it
    /// is now.
    static func record(
        _ text: String, _ kind: Kind, _ collections: AuthCollections, _ records: Records
    ) throws -> (record: Record, collection: AuthCollection, claims: JSONObject)? {
        guard let token = WebToken(text), token.end(now: Int64(time(nil))) != nil,
            token.claims["type"]?.stringValue == kind.rawValue, let id = token.claims["id"]?.stringValue, !id.isEmpty,
            let name = token.claims["collectionId"]?.stringValue, !name.isEmpty,
            let collection = try collections.find(name, records), collection.isAuth,
            let secret = collection.tokens[kind]?.secret, !secret.isEmpty,
            let record = try records.find(collection.id, id: id), !record.text("tokenKey").isEmpty,
            token.isSigned(with: record.text("tokenKey") + secret)
        else { return nil }
        return (record, collection, token.claims)
    }
}
