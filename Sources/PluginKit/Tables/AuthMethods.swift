internal import PluginABI

/// The ways to sign in that plugins brought, for the plugin that signs people in.
public struct AuthMethods: Sendable {
    /// What is known of a method.
    public struct Info: Sendable {
        public var name: String
        public var title: String
        public var factors: AuthFactors
        public var begins: Bool
    }

    let host: Host

    /// Needs the capability "identity".
    public init(_ host: Host) { self.host = host }

    private func table() throws -> roost_auth_methods_v1 {
        guard let table = host.authMethodsTable else { throw HostError.denied(ROOST_TABLE_AUTH_METHOD) }
        return table.pointee
    }

    /// All of them, by name. They are the same from `start` on.
    public func list(_ records: Records) throws -> [Info] {
        var out = roost_bytes()
        try check(try table().list?(records.call.raw, &out))
        return (try JSONParser.parse(out.buffer).arrayValue ?? []).map {
            Info(
                name: $0["name"]?.stringValue ?? "", title: $0["title"]?.stringValue ?? "",
                factors: AuthFactors(rawValue: UInt32($0["factors"]?.intValue ?? 0)),
                begins: $0["begins"]?.boolValue ?? false)
        }
    }

    /// The options of a method in a collection, complete.
    public func options(_ name: String, in collection: String, _ records: Records) throws -> JSONObject {
        var out = roost_bytes()
        let table = try table()
        try check(
            name.withRoostBytes { name in
                collection.withRoostBytes { table.options?(records.call.raw, name, $0, &out) }
            })
        return try JSONParser.parse(out.buffer).objectValue ?? [:]
    }

    /// What `auth-methods` shows of a method beside `enabled`.
    public func describe(_ name: String, _ options: JSONObject, _ records: Records) throws -> JSONObject {
        var out = roost_bytes()
        let table = try table()
        let status = name.withRoostBytes { name in
            JSON.object(options).serializedBytes().withRoostBytes {
                table.describe?(records.call.raw, name, $0, &out)
            }
        }
        if status == ROOST_EUNSUPPORTED { return [:] }
        try check(status)
        return try JSONParser.parse(out.buffer).objectValue ?? [:]
    }

    /// The first half of signing in.
    public func begin(_ name: String, _ attempt: AuthAttempt) throws -> JSONObject {
        var (out, error) = (roost_bytes(), roost_bytes())
        let table = try table()
        let status = name.withRoostBytes { name in
            Self.with(attempt) { table.begin?(attempt.records.call.raw, name, $0, &out, &error) }
        }
        try Self.pass(status, error)
        return try JSONParser.parse(out.buffer).objectValue ?? [:]
    }

    /// The second half: who it is.
    public func finish(_ name: String, _ attempt: AuthAttempt) throws -> AuthProof {
        var (proof, error) = (roost_auth_proof_v1(), roost_bytes())
        let table = try table()
        let call = attempt.records.call
        let status = name.withRoostBytes { name in
            Self.with(attempt) { table.finish?(call.raw, name, $0, &proof, &error) }
        }
        try Self.pass(status, error)
        let meta = proof.meta.length == 0 ? [:] : try JSONParser.parse(proof.meta.buffer).objectValue ?? [:]
        return AuthProof(Record(proof.record, call), meta: meta)
    }

    /// Throws what the method answers to the client.
    private static func pass(_ status: roost_status?, _ error: roost_bytes) throws {
        if status == ROOST_EFAILED, error.length > 0, let answer = try? JSONParser.parse(error.buffer) {
            throw ServiceError(answer)
        }
        try check(status)
    }

    private static func with(
        _ attempt: AuthAttempt, _ body: (UnsafePointer<roost_auth_attempt_v1>) -> roost_status?
    ) -> roost_status? {
        var raw = roost_auth_attempt_v1()
        raw.request = attempt.request.raw
        raw.pending = attempt.pending?.raw ?? roost_record()
        return attempt.collection.withRoostBytes { collection in
            JSON.object(attempt.options).serializedBytes().withRoostBytes { options in
                raw.collection = collection
                raw.options = options
                return withUnsafePointer(to: raw, body)
            }
        }
    }
}

extension ServiceError {
    /// An answer in PocketBase's form.
    fileprivate init(_ answer: JSON) {
        var fields: [String: Failure] = [:]
        for (field, failure) in answer["data"]?.objectValue ?? [:] {
            guard let code = failure["code"]?.stringValue else { continue }
            fields[field] = Failure(
                code, failure["message"]?.stringValue ?? "", params: failure["params"]?.objectValue ?? [:])
        }
        self.init(
            status: answer["status"]?.intValue ?? 500, message: answer["message"]?.stringValue ?? "", fields: fields)
    }
}
