import AuthForms
import Glibc
import PluginKit
import WebTokens

/// Tells the host whose requests are, by their tokens.
final class TokenIdentity: IdentityProvider {
    private let collections: AuthCollections

    init(_ collections: AuthCollections) { self.collections = collections }

    func claims(of token: String) -> (collection: String, recordID: String)? {
        guard let claims = AuthToken.parse(token), claims.token.end(now: Int64(time(nil))) != nil else { return nil }
        return (claims.collectionID, claims.recordID)
    }

    func verify(_ token: String, record: Record, collection: UnsafeBufferPointer<UInt8>) -> Int64? {
        guard let claims = AuthToken.parse(token), claims.recordID.isSame(as: record.id),
            let collection = try? collections.read(claims.collectionID, collection), collection.isAuth,
            !collection.authToken.secret.isEmpty, !record.text("tokenKey").isEmpty,
            claims.token.isSigned(with: record.text("tokenKey") + collection.authToken.secret)
        else { return nil }
        return claims.token.end(now: Int64(time(nil)))
    }
}
