import Engine
import JSON
import NIOCore
import Store
package import PluginHost
import Synchronization
package import WebServer

/// Puts what plugins registered to work: their routes and middlewares on the router, their hooks into the engine, and
/// the one that knows tokens behind the identity cache.
package struct PluginMount {
    let services: Services
    let host: PluginHost

    package init(services: Services, host: PluginHost) {
        self.services = services
        self.host = host
    }

    package func mount(on router: Router) {
        if let provider = host.identity { services.identities.use(PluginTokens(provider: provider)) }
        mountHooks()
        let middlewares = host.middlewares
        if !middlewares.isEmpty { router.use(middleware(middlewares)) }
        for route in host.routes { mount(route, on: router) }
    }

    // MARK: - Routes

    private func mount(_ route: PluginRoute, on router: Router) {
        let limit = route.maxBodySize > 0 ? route.maxBodySize : 32 << 20
        let options = RouteOptions(body: .collect(maxBytes: limit))
        let services = self.services
        let below = "/api/collections/{collection}/"
        let isFile = route.path.hasPrefix("/api/files/{collection}/")
        let isOfCollection = isFile || route.path.hasPrefix(below)
        let end = isFile ? "" : String(route.path.dropFirst(below.count))
        router.add(route.method.isEmpty ? nil : HTTPMethod(rawValue: route.method), route.path, options: options) {
            request, responder in
            let exchange = Exchange(request: request, responder: responder, services: services)
            if isOfCollection {
                let actions = isFile ? ["file"] : Self.actions(end, method: exchange.parameter("method"))
                do { try Self.checkRate(exchange, actions) } catch { return exchange.fail(error) }
            }
            if let refusal = Self.refusal(route.audience, exchange) { return exchange.fail(refusal) }
            let source = PluginRequest(exchange)
            switch route.run {
            case .loop: Self.handle(route, source)
            case .worker: exchange.work { Self.handle(route, source) }
            }
        }
    }

    private static func handle(_ route: PluginRoute, _ source: PluginRequest) {
        guard let pending = route.handle(source) else { return }
        source.exchange.request.onClose { pending.cancel() }
    }

    /// The names by which the settings' rate limits know what plugins do with a collection, by the end of the path.
    private static let collectionActions = [
        "auth-methods": ["listAuthMethods"], "auth-refresh": ["authRefresh"],
        "auth-with-password": ["authWithPassword", "auth"], "auth-with-oauth2": ["authWithOAuth2", "auth"],
        "auth-with-otp": ["authWithOTP", "auth"], "auth-with-saml": ["authWithSAML", "auth"],
        "auth-with/{method}": ["auth"], "auth-begin/{method}": ["auth"],
        "request-otp": ["requestOTP"], "request-password-reset": ["requestPasswordReset"],
        "confirm-password-reset": ["confirmPasswordReset"], "request-verification": ["requestVerification"],
        "confirm-verification": ["confirmVerification"], "request-email-change": ["requestEmailChange"],
        "confirm-email-change": ["confirmEmailChange"],
    ]

    /// - Parameters:
    ///   - end: of a route's path below a collection.
    ///   - method: of signing in, which some paths name. Whoever limits one of PocketBase's limits it on this way too.
    private static func actions(_ end: String, method: String) -> [String] {
        let known =
            switch (end, method) {
            case ("auth-with/{method}", _): collectionActions["auth-with-" + method]
            case ("auth-begin/{method}", "otp"): collectionActions["request-otp"]
            default: nil as [String]?
            }
        return known ?? collectionActions[end] ?? []
    }

    /// Counts a request to a route below a collection, which the gate leaves to the route.
    private static func checkRate(_ exchange: Exchange, _ actions: [String]) throws {
        guard !actions.isEmpty else {
            if exchange.engine.settings.snapshot.settings.rateLimits.enabled {
                try exchange.services.checkRate(exchange.request)
            }
            return
        }
        guard let collection = exchange.engine.schema.collection(exchange.parameter("collection")) else {
            throw ServiceError.notFound("Missing or invalid collection context.")
        }
        try exchange.services.checkRate(exchange, collection, actions)
    }

    private static func refusal(_ audience: PluginAudience, _ exchange: Exchange) -> ServiceError? {
        switch audience {
        case .anyone: return nil
        case .guest:
            return exchange.auth == nil ? nil : .badRequest("The request can be accessed only by guests.")
        case .user:
            return exchange.auth == nil
                ? .unauthorized("The request requires valid record authorization token.") : nil
        case .superuser:
            if exchange.auth == nil { return .unauthorized("The request requires valid record authorization token.") }
            return exchange.isSuperuser
                ? nil : .forbidden("The authorized record is not allowed to perform this action.")
        }
    }

    // MARK: - Middlewares

    private func middleware(_ middlewares: [PluginMiddleware]) -> Middleware {
        let services = self.services
        return { request, responder, next in
            let path = request.path
            let concerned = middlewares.filter { $0.concerns(method: request.method.rawValue, path: path) }
            guard !concerned.isEmpty else { return next(request, responder) }
            let source = PluginRequest(Exchange(request: request, responder: responder, services: services))
            Self.run(concerned[...], source) { next(request, responder) }
        }
    }

    private static func run(
        _ middlewares: ArraySlice<PluginMiddleware>, _ source: PluginRequest, then next: @escaping @Sendable () -> Void
    ) {
        guard let middleware = middlewares.first else {
            // A core route expects its event loop.
            return source.exchange.request.eventLoop.execute(next)
        }
        let rest = middlewares.dropFirst()
        let handle: @Sendable () -> Void = {
            switch middleware.handle(source) {
            case .next: run(rest, source, then: next)
            case .answered: break
            case .pending(let pending): source.exchange.request.onClose { pending.cancel() }
            }
        }
        switch middleware.run {
        case .loop: source.exchange.request.eventLoop.execute(handle)
        case .worker: source.exchange.work(handle)
        }
    }

    // MARK: - Hooks

    private func mountHooks() {
        let services = self.services
        for hook in host.hooks {
            services.engine.hooks.add(hook.event, collections: hook.collections, priority: hook.priority) { event in
                try hook.run(EngineEvent(event, services: services))
            }
        }
    }
}

/// A plugin's view of tokens as the identity cache wants it.
struct PluginTokens: TokenAuthority {
    let provider: IdentityProvider

    func claims(_ token: String) -> (collectionID: String, recordID: String)? {
        provider.claims(of: token).map { ($0.collection, $0.recordID) }
    }

    func verify(_ token: String, record: Record) -> Int64? { provider.verify(token, of: record) }
}

/// An engine event as plugins see it.
final class EngineEvent: PluginEvent {
    private let event: HookEvent
    let request: (any PluginRequestSource)?
    let transaction: RecordTransaction?

    init(_ event: HookEvent, services: Services) {
        self.event = event
        request = (event.request as? Request).map {
            PluginRequest(Exchange(request: $0, responder: Responder.answering($0), services: services))
        }
        transaction = event.transaction.map {
            RecordTransaction(connection: $0.connection, schema: services.engine.schema, writing: $0)
        }
    }

    var name: String { event.name.rawValue }
    var record: Record? { event.record }
    func next() throws { try event.next() }
}

/// A request as plugins reach it through `roost.http/1`.
final class PluginRequest: PluginRequestSource {
    let exchange: Exchange

    init(_ exchange: Exchange) { self.exchange = exchange }

    private var request: Request { exchange.request }
    var method: String { request.method.rawValue }
    var path: String { request.path }
    func parameter(_ name: String) -> String? { request.parameters[name] }
    func query(_ name: String) -> String? { request.queryValue(name) }
    func header(_ name: String) -> String? { request.headers.first(name) }
    var body: [UInt8] { Array(request.body.readableBytesView) }
    func bodyObject() throws -> JSONObject { try BodyReader.object(request) }
    var remoteIP: String { exchange.services.realIP(request) }
    var auth: Record? { exchange.auth?.copy() }
    var isOpen: Bool { !request.isClosed && !exchange.responder.isAnswered }
    func addHeader(_ name: String, _ value: String) {
        // Of these there may be several; of others the last one counts.
        if ["set-cookie", "vary", "link", "www-authenticate"].contains(name.lowercased()) {
            request.addResponseHeader(name, value)
        } else {
            request.setResponseHeader(name, value)
        }
    }

    func file(_ key: String, name: String, isDownload: Bool) -> (() -> Void)? {
        let exchange = self.exchange
        let storages = exchange.engine.files.storages
        guard !storages.isElsewhere(.records) else {
            return {
                RemoteDownload(exchange, storages[.records], key: key, name: name, isDownload: isDownload).start()
            }
        }
        guard let information = storages.local.information(key) else { return nil }
        return { FileResponder.answer(exchange, information, name: name, isDownload: isDownload) }
    }

    func live(status: Int, contentType: String, options: LiveOptions) -> LiveStream? {
        exchange.responder.live(
            status: UInt16(status), headers: [("Content-Type", contentType)], options: options)
    }

    var isHandshake: Bool { Responder.isHandshake(request) }

    func webSocket(subprotocol: String, options: LiveOptions) -> LiveStream? {
        exchange.responder.webSocket(subprotocol: subprotocol, options: options)
    }

    func thumb(_ key: String, name: String, size: String, isDownload: Bool) -> (() -> Void)? {
        exchange.services.thumbs.answer(exchange, key: key, name: name, size: size, isDownload: isDownload)
    }

    func respond(status: Int, contentType: String, body: [UInt8]) {
        guard (100...599).contains(status) else { return exchange.fail(ServiceError.internal()) }
        if contentType == "application/json", (200..<300).contains(status), !exchange.query("fields").isEmpty,
            let json = try? JSONParser.parse(body)
        {
            return exchange.json(json, status: UInt16(status))
        }
        var headers: [(String, String)] = []
        if !contentType.isEmpty { headers.append(("Content-Type", contentType)) }
        let isEmpty = status == 204 || status == 304 || body.isEmpty
        exchange.responder.send(
            Response(status: UInt16(status), headers: headers, body: isEmpty ? .none : .bytes(body)))
    }

    func respond(_ error: ServiceError) { exchange.fail(error) }
}
