import COpenSSL
import PluginKit

/// From where a record has signed in: `_authOrigins`, by a fingerprint of address and program.
enum SignInOrigins {
    /// Notes a sign-in. What goes wrong is logged and keeps nobody out.
    static func note(_ record: Record, _ request: HTTPRequest) {
        do {
            try note(record, fingerprint(request), request)
        } catch {
            request.host.log.warn("The origin of a sign-in was not noted", ["error": .string("\(error)")])
        }
    }

    private static func note(_ record: Record, _ fingerprint: String, _ request: HTTPRequest) throws {
        let records = request.records
        let known = try records.list(
            "_authOrigins", filter: "collectionRef = {:collection} && recordRef = {:record}",
            parameters: ["collection": .string(record.collectionID), "record": .string(record.id)], limit: 100)
        if let origin = known.first(where: { $0.text("fingerprint") == fingerprint }) {
            return try records.save(origin)
        }
        // A new one after the first is for the record's owner to hear of; as long as it cannot be told, it stays new.
        guard known.isEmpty || record.text("email").isEmpty else {
            return request.host.log.debug("Nobody was told of a sign-in from a new place: there is no mailer.")
        }
        let origin = try records.create(in: "_authOrigins")
        try origin.set("collectionRef", .text(record.collectionID))
        try origin.set("recordRef", .text(record.id))
        try origin.set("fingerprint", .text(fingerprint))
        try records.save(origin)
    }

    /// MD5 of the client's address and program, as PocketBase has it; it tells places apart and protects nothing.
    private static func fingerprint(_ request: HTTPRequest) -> String {
        var program = Array((request.header("User-Agent") ?? "").utf8)
        if program.count > 200 { program = program.prefix(200) + Array("...".utf8) }
        let text = Array(request.remoteIP.utf8) + program
        let digest = [UInt8](unsafeUninitializedCapacity: 16) { out, count in
            var length: UInt32 = 0
            let made = EVP_Digest(text, text.count, out.baseAddress, &length, EVP_md5(), nil)
            count = made == 1 ? Int(length) : 0
        }
        let digits = Array("0123456789abcdef".utf8)
        return String(decoding: digest.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }
}
