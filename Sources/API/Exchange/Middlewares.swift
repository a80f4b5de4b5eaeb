package import Engine
import JSON
package import WebServer

extension Services {
    /// Headers that go with every answer, as PocketBase sends them.
    static let securityHeaders = FixedHeaders([
        ("Cross-Origin-Opener-Policy", "same-origin"), ("X-Content-Type-Options", "nosniff"),
        ("X-Frame-Options", "SAMEORIGIN"),
        ("X-XSS-Protection", "1; mode=block"),
    ])

    /// The same for stored files, which pages elsewhere may show in a frame.
    static let fileHeaders = FixedHeaders(securityHeaders.pairs.filter { $0.0 != "X-Frame-Options" })

    /// What every request passes: whose token it is, whether a superuser may come from that address, and whether the
    /// settings' rate limits still let it in.
    package func gate() -> Middleware {
        { [self] request, responder, next in
            if let token = Self.token(of: request), let record = identities.record(of: token) {
                request[IdentityKey.self] = Identity(record: record)
                if record.collection.isSuperusers {
                    let allowed = engine.settings.snapshot.superuserIPs
                    if !allowed.isEmpty && !allowed.contains(realIP(request)) {
                        return Exchange(request: request, responder: responder, services: self)
                            .fail(ServiceError.forbidden())
                    }
                }
            }
            // What comes from an address that superusers may not use is refused before, without them, as PocketBase does.
            request.use(Self.securityHeaders)
            // Routes of a collection count by themselves, when the collection is known.
            if engine.settings.snapshot.settings.rateLimits.enabled,
                !request.routePattern.hasPrefix("/api/collections/{collection}/"),
                !request.routePattern.hasPrefix("/api/files/{collection}/")
            {
                do {
                    try checkRate(request)
                } catch {
                    return Exchange(request: request, responder: responder, services: self).fail(error)
                }
            }
            next(request, responder)
        }
    }

    /// The token of the Authorization header, with or without `Bearer `.
    private static func token(of request: Request) -> String? {
        guard let value = request.headers.first("Authorization"), !value.isEmpty else { return nil }
        if value.utf8.count > 7, value.prefix(7).lowercased() == "bearer " { return String(value.dropFirst(7)) }
        return value
    }

    /// The client's address, taken from a header where the settings trust a proxy.
    package func realIP(_ request: Request) -> String {
        let snapshot = engine.settings.snapshot
        guard !snapshot.settings.trustedProxy.headers.isEmpty else { return request.remoteIP }
        return snapshot.settings.trustedProxy.realIP(remoteIP: request.remoteIP) { request.headers.all($0).last }
    }

    /// Counts a request against the limits of its path.
    func checkRate(_ request: Request) throws {
        let identity = request[IdentityKey.self]?.record
        if identity?.collection.isSuperusers ?? false { return }
        guard
            limiter.check(
                tags: [], path: request.decodedPath, method: request.method.rawValue, isGuest: identity == nil,
                ip: realIP(request))
        else { throw ServiceError.tooMany() }
    }

    /// Counts a request against the limits of a collection's action (`posts:create`, `*:create`).
    package func checkRate(_ exchange: Exchange, _ collection: Collection, _ action: String) throws {
        try checkRate(exchange, collection, [action])
    }

    /// The same for an action with several names, the closest first.
    func checkRate(_ exchange: Exchange, _ collection: Collection, _ actions: [String]) throws {
        guard engine.settings.snapshot.settings.rateLimits.enabled, !exchange.isSuperuser else { return }
        guard
            limiter.check(
                tags: actions.map { collection.name + ":" + $0 } + actions.map { "*:" + $0 },
                path: exchange.request.decodedPath,
                method: exchange.request.method.rawValue, isGuest: exchange.auth == nil,
                ip: realIP(exchange.request), scope: collection.id + exchange.request.routePattern + actions.joined())
        else { throw ServiceError.tooMany() }
    }

    // MARK: - The server's own failures

    /// The answer to a request that the server refuses before a handler sees it.
    package static let errorResponse: @Sendable (HTTPFailure, Request?) -> Response = { failure, request in
        guard request != nil else { return HTTPFailure.plainText(failure, request) }
        let error: ServiceError
        switch failure.reason {
        case .bodyTooLarge: error = .tooLarge()
        case .unanswered: error = .internal()
        case .fileUnavailable: error = .notFound("File not found.")
        default: error = ServiceError(status: Int(failure.status), message: failure.text)
        }
        request?[FailureKey.self] = FailureNote(message: error.message)
        var bytes = error.body.serializedBytes()
        bytes.append(UInt8(ascii: "\n"))
        return Response(status: UInt16(error.status), headers: Exchange.jsonHeaders, body: .bytes(bytes))
    }

    // MARK: - Logs

    /// Queues the log line of an answered request.
    package func log(_ request: Request, _ status: UInt16, _ duration: UInt64) {
        let options = engine.logs.options
        guard options.maxDays > 0 || engine.logs.prints else { return }
        let hasAttributes = request.hasAttributes
        let failure = hasAttributes ? request[FailureKey.self] : nil
        let isFailure = failure != nil || status >= 400
        // Neither reading logs nor static files fill them.
        if !isFailure && (request.routePattern.isEmpty || request.routePattern.hasPrefix("/api/logs")) { return }
        let level: LogEntry.Level = isFailure ? .error : .info
        guard level.rawValue >= options.minLevel || engine.logs.prints else { return }
        let auth = hasAttributes ? request[IdentityKey.self]?.record : nil
        request.withTarget(and: "referer", "user-agent") { target, referer, userAgent in
            engine.logs.append(
                RequestLog(
                    level: level, method: request.method.rawValue, url: target, status: Int(status), duration: duration,
                    referer: referer, userAgent: userAgent, auth: auth?.collection.name ?? "",
                    authID: options.logsAuthID ? auth?.id : nil, userIP: options.logsIP ? realIP(request) : nil,
                    remoteIP: options.logsIP ? request.remoteIP : nil, error: failure?.message,
                    details: failure?.details))
        }
    }
}
