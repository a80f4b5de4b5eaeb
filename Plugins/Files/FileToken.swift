import Glibc
import PluginKit
import WebTokens

/// The short-lived tokens that open protected files: `{"collectionId","exp","id","type":"file"}`, signed with the
/// record's key and the collection's secret for files.
enum FileToken {
    static func make(for record: Record, _ records: Records) throws -> String {
        guard let options = try records.collection(record.collectionID)?["fileToken"],
            let secret = options["secret"]?.stringValue, !secret.isEmpty
        else { throw ServiceError(status: 500, message: "Failed to generate file token") }
        var claims = JSONWriter(capacity: 160, options: .init(htmlEscape: true))
        claims.beginObject()
        claims.key(plain: "collectionId")
        claims.string(record.collectionID)
        claims.key(plain: "exp")
        claims.int(Int64(time(nil)) + Int64(options["duration"]?.intValue ?? 0))
        claims.key(plain: "id")
        claims.string(record.id)
        claims.key(plain: "type")
        claims.string("file")
        claims.endObject()
        let key = record.text("tokenKey") + secret
        guard let token = claims.withBytes({ WebToken.sign($0, key: key) }) else {
            throw ServiceError(status: 500, message: "Failed to generate file token")
        }
        return token
    }

    /// Whose token it is; nil for what is no token for files, or over.
    static func record(_ text: String, _ records: Records) throws -> Record? {
        guard let token = WebToken(text), token.end(now: Int64(time(nil))) != nil,
            token.claims["type"]?.stringValue == "file", let id = token.claims["id"]?.stringValue, !id.isEmpty,
            let collection = token.claims["collectionId"]?.stringValue, !collection.isEmpty,
            let document = try records.collection(collection), document["id"]?.stringValue == collection,
            let secret = document["fileToken"]?["secret"]?.stringValue, !secret.isEmpty,
            let record = try records.find(collection, id: id), token.isSigned(with: record.text("tokenKey") + secret)
        else { return nil }
        return record
    }
}

/// `POST /api/files/token`: a token for protected files, for who is signed in.
enum FileTokenRoute {
    static func add(to host: Host) throws {
        try host.route("POST", "/api/files/token", run: .worker, audience: .users) { request in
            guard let record = request.auth else { throw ServiceError.unauthorized("Missing auth context.") }
            var answer = HTTPResponse.json(["token": .string(try FileToken.make(for: record, request.records))])
            answer.body.append(UInt8(ascii: "\n"))
            return answer
        }
    }
}
