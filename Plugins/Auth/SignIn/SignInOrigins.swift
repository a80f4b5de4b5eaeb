import COpenSSL
import PluginKit

/// From where a record has signed in: `_authOrigins`, by a fingerprint of address and program.
struct SignInOrigins: Sendable {
    /// Origins of one record; the oldest give way.
    private static let most = 5

    let mails: AuthMails

    /// Notes a sign-in and tells the record's owner of one from somewhere new. What goes wrong is logged and keeps
    /// nobody out.
    func note(_ record: Record, _ collection: AuthCollection, _ request: HTTPRequest) {
        do {
            let program = Self.program(request)
            try note(record, collection, Self.fingerprint(request.remoteIP, program), program, request)
        } catch {
            request.host.log.warn("The origin of a sign-in was not noted", ["error": .string("\(error)")])
        }
    }

    private func note(
        _ record: Record, _ collection: AuthCollection, _ fingerprint: String, _ program: String, _ request: HTTPRequest
    ) throws {
        let records = request.records
        let known = try records.list(
            "_authOrigins", filter: "collectionRef = {:collection} && recordRef = {:record}", sort: "-created",
            parameters: ["collection": .string(record.collectionID), "record": .string(record.id)], limit: 100)
        if let origin = known.first(where: { $0.text("fingerprint") == fingerprint }) {
            return try records.save(origin)
        }
        guard !known.isEmpty, !record.text("email").isEmpty else {
            return try Self.save(fingerprint, record.collectionID, record.id, records)
        }
        let info = HTML.escaped("\(DateTime.now().text) - \(request.remoteIP) \(program)")
        let message = try mails.compose(
            .loginAlert, record, collection, values: ["{ALERT_INFO}": info], meta: ["info": .string(info)], records)
        let (collectionID, id, log) = (record.collectionID, record.id, request.host.log)
        let old = known.dropFirst(Self.most - 1).map(\.id)
        // As long as the owner could not be told, the origin stays new.
        mails.queue(message, "login alert", records) { isSent, records in
            guard isSent else { return }
            do {
                for id in old {
                    if let origin = try records.find("_authOrigins", id: id) { try records.delete(origin) }
                }
                try Self.save(fingerprint, collectionID, id, records)
            } catch let error as HostError where error.isRefusal {
                // Noted by another sign-in meanwhile.
            } catch {
                log.warn("The origin of a sign-in was not noted", ["error": .string("\(error)")])
            }
        }
    }

    private static func save(_ fingerprint: String, _ collection: String, _ record: String, _ records: Records) throws {
        let origin = try records.create(in: "_authOrigins")
        try origin.set("collectionRef", .text(collection))
        try origin.set("recordRef", .text(record))
        try origin.set("fingerprint", .text(fingerprint))
        try records.save(origin)
    }

    /// What the client says it is, cut as PocketBase cuts it.
    private static func program(_ request: HTTPRequest) -> String {
        let program = request.header("User-Agent") ?? ""
        guard program.utf8.count > 200 else { return program }
        return String(decoding: Array(program.utf8.prefix(200)), as: UTF8.self) + "..."
    }

    /// MD5 of the client's address and program, as PocketBase has it; it tells places apart and protects nothing.
    private static func fingerprint(_ address: String, _ program: String) -> String {
        let text = Array((address + program).utf8)
        let digest = [UInt8](unsafeUninitializedCapacity: 16) { out, count in
            var length: UInt32 = 0
            let made = EVP_Digest(text, text.count, out.baseAddress, &length, EVP_md5(), nil)
            count = made == 1 ? Int(length) : 0
        }
        let digits = Array("0123456789abcdef".utf8)
        return String(decoding: digest.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }
}
