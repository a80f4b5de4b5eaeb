import PluginKit

/// `POST …/auth-with-password`, `…/auth-with-otp`, `…/auth-with-oauth2`, `…/auth-with/{method}` and, for what comes before,
/// `…/request-otp` and `…/auth-begin/{method}`: signing in with any of the methods that plugins brought.
struct SignInRoutes: Sendable {
    let collections: AuthCollections
    let methods: AuthMethods
    let signIn: SignIn
    /// For methods that compute.
    let threads: JobQueue
    /// For methods that may ask a service elsewhere.
    let visits: JobQueue
    /// Tries of second proofs, for methods that count none themselves.
    private let attempts = AttemptLimit()

    init(collections: AuthCollections, methods: AuthMethods, signIn: SignIn, threads: JobQueue, visits: JobQueue) {
        self.collections = collections
        self.methods = methods
        self.signIn = signIn
        self.threads = threads
        self.visits = visits
    }

    func add(to host: Host) throws {
        try add("request-otp", to: host, on: threads) { try begin("otp", $0) }
        for name in ["password", "otp"] {
            try add("auth-with-" + name, to: host, on: threads) { try finish(name, $0) }
        }
        try add("auth-with-oauth2", to: host, on: visits) { try finish("oauth2", $0) }
        try add("auth-begin/{method}", to: host, on: visits) { try begin($0.parameter("method") ?? "", $0) }
        try add("auth-with/{method}", to: host, on: visits) { try finish($0.parameter("method") ?? "", $0) }
    }

    private func add(
        _ path: String, to host: Host, on queue: JobQueue,
        _ handler: @escaping @Sendable (HTTPRequest) throws -> HTTPResponse
    ) throws {
        try host.route("POST", "/api/collections/{collection}/" + path, on: { queue.run($0) }) { request in
            // In a storm many have gone before it is their turn.
            request.isOpen ? try handler(request) : .noContent
        }
    }

    // MARK: - The two halves

    private func begin(_ name: String, _ request: HTTPRequest) throws -> HTTPResponse {
        let collection = try collections.authNamed(in: request)
        let (method, options) = try enabled(name, collection, request)
        guard method.begins else { throw ServiceError.notFound() }
        let pending = try SecondFactor.pending(collection, request)
        try check(method, pending)
        let attempt = AuthAttempt(request: request, collection: collection.id, options: options, pending: pending)
        return AuthAnswer.line(.json(.object(try methods.begin(name, attempt))))
    }

    private func finish(_ name: String, _ request: HTTPRequest) throws -> HTTPResponse {
        let collection = try collections.authNamed(in: request)
        let (method, options) = try enabled(name, collection, request)
        let pending = try SecondFactor.pending(collection, request)
        try check(method, pending)
        if let pending, !Self.countsItself(name), !attempts.take(name + ":" + pending.id) {
            throw ServiceError.tooManyRequests("Too many attempts, please try again later.")
        }
        let attempt = AuthAttempt(request: request, collection: collection.id, options: options, pending: pending)
        let proof = try methods.finish(name, attempt)
        return try signIn.complete(
            proof.record, collection, method: name, context: name, meta: proof.meta.isEmpty ? nil : .object(proof.meta),
            request)
    }

    private static func countsItself(_ name: String) -> Bool { name == "password" || name == "otp" }

    /// A method that a collection allows, and its options there.
    private func enabled(
        _ name: String, _ collection: AuthCollection, _ request: HTTPRequest
    ) throws -> (AuthMethods.Info, JSONObject) {
        guard let method = try methods.list(request.records).first(where: { $0.name == name }) else {
            if name == "oauth2" { throw try OAuth2Refusal.error(collection, request) }
            throw ServiceError.notFound()
        }
        let options = try methods.options(name, in: collection.id, request.records)
        guard options["enabled"]?.boolValue == true else {
            throw ServiceError.forbidden(
                "The collection is not configured to allow \(method.title) authentication.")
        }
        return (method, options)
    }

    /// Whether a method is for what is wanted of it.
    private func check(_ method: AuthMethods.Info, _ pending: Record?) throws {
        if pending == nil, !method.factors.contains(.first) {
            throw ServiceError.badRequest("Invalid or expired MFA session.")
        }
        if pending != nil, !method.factors.contains(.second) {
            throw ServiceError.badRequest("A different authentication method is required.")
        }
    }
}
