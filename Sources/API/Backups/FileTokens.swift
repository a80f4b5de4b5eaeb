import Engine
import Glibc
import JSON
import Store
import WebTokens

/// Tokens for files, as the Files plugin makes them: `{"collectionId","exp","id","type":"file"}`.
enum FileTokens {
    /// The superuser whose token it is; nil for anything else. Reads the database.
    static func superuser(of text: String, _ engine: Engine) -> Record? {
        guard let token = WebToken(text), token.end(now: Int64(time(nil))) != nil,
            token.claims["type"]?.stringValue == "file", let id = token.claims["id"]?.stringValue, !id.isEmpty,
            let collection = engine.schema.collection(name: "_superusers"),
            token.claims["collectionId"]?.stringValue == collection.id,
            let secret = collection.options["fileToken"]?["secret"]?.stringValue, !secret.isEmpty,
            let record = try? engine.data.read({ try $0.record(id: id, in: collection) }),
            let key = collection.index(of: "tokenKey").flatMap({ record.values[$0].textValue }), !key.isEmpty,
            token.isSigned(with: key + secret)
        else { return nil }
        return record
    }
}
