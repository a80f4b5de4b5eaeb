internal import PluginABI

/// A way to sign in. It says who somebody is; the server does the rest.
///
///     final class Badge: AuthMethod {
///         let name = "badge"
///         let title = "badge"
///         let defaults: JSONObject = ["enabled": false, "readerSecret": ""]
///
///         func finish(_ attempt: AuthAttempt) throws -> AuthProof {
///             …
///         }
///     }
///
/// Clients reach it below `/api/collections/{collection}/` as `auth-begin/badge` and `auth-with/badge`.
public protocol AuthMethod: AnyObject, Sendable {
    /// a-z, 0-9 and -, a letter first.
    var name: String { get }
    /// For "The collection is not configured to allow … authentication."
    var title: String { get }
    /// All members of its options in a collection, `"enabled": false` among them; null takes any type. Members called
    /// `secret` or `…Secret` are never shown.
    var defaults: JSONObject { get }
    var factors: AuthFactors { get }
    /// Whether there is anything to do before `finish`.
    var begins: Bool { get }

    /// What is wrong with the options of a collection, by option. Their JSON types are right already. Any thread.
    func failures(_ options: JSONObject) -> [String: Failure]
    /// What `auth-methods` shows beside `enabled`. On an event loop; no secrets.
    func describe(_ options: JSONObject) -> JSONObject
    /// The first half, e.g. a challenge. Worker threads.
    func begin(_ attempt: AuthAttempt) throws -> JSONObject
    /// The second half: who it is. Worker threads. Whoever is not there should be refused with the same words and after
    /// the same time as who gave a wrong proof.
    func finish(_ attempt: AuthAttempt) throws -> AuthProof
}

extension AuthMethod {
    public var factors: AuthFactors { [.first, .second] }
    public var begins: Bool { false }
    public func failures(_ options: JSONObject) -> [String: Failure] { [:] }
    public func describe(_ options: JSONObject) -> JSONObject { [:] }
    public func begin(_ attempt: AuthAttempt) throws -> JSONObject { throw HostError(status: ROOST_EUNSUPPORTED) }
}

/// What a method may be used for.
public struct AuthFactors: OptionSet, Sendable {
    public let rawValue: UInt32
    public init(rawValue: UInt32) { self.rawValue = rawValue }
    /// It alone says who somebody is.
    public static let first = AuthFactors(rawValue: ROOST_FACTOR_FIRST)
    /// It may be the second proof after another method.
    public static let second = AuthFactors(rawValue: ROOST_FACTOR_SECOND)
}

/// Somebody who signs in.
public struct AuthAttempt {
    public let request: HTTPRequest
    /// Id of the auth collection.
    public let collection: String
    /// The method's options there: complete, with secrets.
    public let options: JSONObject
    /// Who has given a first proof and comes for the second; nil for nobody. A second proof has to be of this record.
    public let pending: Record?

    public var records: Records { request.records }

    public init(request: HTTPRequest, collection: String, options: JSONObject, pending: Record?) {
        self.request = request
        self.collection = collection
        self.options = options
        self.pending = pending
    }
}

/// Who somebody is.
public struct AuthProof {
    public var record: Record
    /// What goes out beside record and token.
    public var meta: JSONObject

    public init(_ record: Record, meta: JSONObject = [:]) {
        self.record = record
        self.meta = meta
    }
}

extension Host {
    var authMethodsTable: UnsafePointer<roost_auth_methods_v1>? {
        table(ROOST_TABLE_AUTH_METHOD)?.assumingMemoryBound(to: roost_auth_methods_v1.self)
    }

    /// Adds a way to sign in. Needs the capability "identity".
    ///
    /// - Throws: ``HostError`` when there is one of that name.
    public func authMethod(_ method: any AuthMethod) throws {
        guard let table = authMethodsTable else { throw HostError.denied(ROOST_TABLE_AUTH_METHOD) }
        let box = Unmanaged.passRetained(AuthMethodBox(self, method))
        var raw = roost_auth_method_v1()
        raw.factors = method.factors.rawValue
        raw.user = box.toOpaque()
        raw.validate = { user, raw, options in
            AuthMethodBox.with(user, raw) { box, call in
                let failures = box.method.failures(try JSONParser.parse(options.buffer).objectValue ?? [:])
                for (field, failure) in failures { call.fail(field: field, failure) }
                if !failures.isEmpty { throw HostError(status: ROOST_EFAILED) }
            }
        }
        raw.describe = { user, raw, options, out in
            AuthMethodBox.with(user, raw) { box, call in
                let shown = box.method.describe(try JSONParser.parse(options.buffer).objectValue ?? [:])
                out?.pointee = call.scratch(JSON.object(shown).serialized()) ?? roost_bytes()
            }
        }
        if method.begins {
            raw.begin = { user, raw, attempt, out in
                AuthMethodBox.with(user, raw) { box, call in
                    let answer = try box.method.begin(try AuthMethodBox.attempt(attempt, call))
                    out?.pointee = call.scratch(JSON.object(answer).serialized()) ?? roost_bytes()
                }
            }
        }
        raw.finish = { user, raw, attempt, out in
            AuthMethodBox.with(user, raw) { box, call in
                let proof = try box.method.finish(try AuthMethodBox.attempt(attempt, call))
                out?.pointee.record = proof.record.raw
                if proof.meta.isEmpty { return }
                out?.pointee.meta = call.scratch(JSON.object(proof.meta).serialized()) ?? roost_bytes()
            }
        }
        raw.free = { user in
            if let user { Unmanaged<AuthMethodBox>.fromOpaque(user).release() }
        }
        let status = method.name.withRoostBytes { name in
            method.title.withRoostBytes { title in
                JSON.object(method.defaults).serializedBytes().withRoostBytes { defaults in
                    raw.name = name
                    raw.title = title
                    raw.defaults = defaults
                    return withUnsafePointer(to: raw) { table.pointee.add?(self.raw, $0) }
                }
            }
        }
        if (status ?? ROOST_EUNSUPPORTED) < 0 { box.release() }
        try check(status)
    }
}

private final class AuthMethodBox: Sendable {
    let host: Host
    let method: any AuthMethod

    init(_ host: Host, _ method: any AuthMethod) {
        self.host = host
        self.method = method
    }

    static func with(
        _ user: UnsafeMutableRawPointer?, _ raw: OpaquePointer?, _ body: (AuthMethodBox, Call) throws -> Void
    ) -> roost_status {
        guard let user, let raw else { return ROOST_EINVALID }
        let box = Unmanaged<AuthMethodBox>.fromOpaque(user).takeUnretainedValue()
        let call = Call(raw, box.host)
        return call.run { try body(box, call) }
    }

    static func attempt(_ raw: UnsafePointer<roost_auth_attempt_v1>?, _ call: Call) throws -> AuthAttempt {
        guard let raw = raw?.pointee else { throw HostError(status: ROOST_EINVALID) }
        return AuthAttempt(
            request: HTTPRequest(raw.request, call), collection: raw.collection.string,
            options: try JSONParser.parse(raw.options.buffer).objectValue ?? [:],
            pending: raw.pending.id == 0 ? nil : Record(raw.pending, call))
    }
}
