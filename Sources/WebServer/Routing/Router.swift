import NIOCore
import Synchronization

/// What is done with a route's request body.
package enum BodyPolicy: Sendable {
    /// Nobody reads it: the handler runs at once.
    case discard
    /// Gathered in memory up to `maxBytes`; the handler runs when it is complete.
    case collect(maxBytes: Int)
    /// Handed out piece by piece through `Request.bodyStream`; the handler runs when the head is complete.
    case stream(maxBytes: Int)
}

/// How a route treats its requests.
package struct RouteOptions: Sendable {
    /// PocketBase's default for every route is 32 MiB.
    package var body: BodyPolicy
    /// When set, gives the most bytes for this very request (from its head), in place of the policy's number.
    package var bodyLimit: (@Sendable (Request) -> Int)?
    /// Bodies of this content type are streamed though the policy collects others.
    package var streamedType: String?
    /// Run inside the router's own, in this order.
    package var middlewares: [Middleware]

    package init(
        body: BodyPolicy = .collect(maxBytes: 32 << 20), bodyLimit: (@Sendable (Request) -> Int)? = nil,
        streamedType: String? = nil, middlewares: [Middleware] = []
    ) {
        self.body = body
        self.bodyLimit = bodyLimit
        self.streamedType = streamedType
        self.middlewares = middlewares
    }
}

extension RouteOptions {
    /// Whether the body of a request is handed out as it arrives.
    func streams(_ head: RequestHead) -> Bool {
        if case .stream = body { return true }
        guard let streamedType else { return false }
        let type = Headers(bytes: head.bytes, fields: head.fields).first("Content-Type") ?? ""
        return type.utf8.count >= streamedType.utf8.count
            && ASCII.equal(String(type.prefix(streamedType.count)), streamedType)
    }
}

/// One route. A class, because finding one should cost a reference and no copy of what is in it.
final class Route: Sendable {
    let method: HTTPMethod?
    let pattern: String
    let parameterNames: [String]
    let options: RouteOptions
    /// In the finished table the middlewares are folded into it.
    let handler: Handler
    /// The pattern ends in `/` or `{name...}`, so it matches everything below.
    let isSubtree: Bool

    init(
        method: HTTPMethod?, pattern: String, parameterNames: [String], options: RouteOptions,
        handler: @escaping Handler, isSubtree: Bool
    ) {
        self.method = method
        self.pattern = pattern
        self.parameterNames = parameterNames
        self.options = options
        self.handler = handler
        self.isSubtree = isSubtree
    }

    func with(handler: @escaping Handler) -> Route {
        Route(
            method: method, pattern: pattern, parameterNames: parameterNames, options: options, handler: handler,
            isSubtree: isSubtree)
    }
}

/// Collects routes before the server starts. The patterns are those of Go's `http.ServeMux`:
/// `/a/{name}/b`, `/a/{rest...}`, `/a/` (everything below), `/a/{$}` (exactly that path).
package final class Router: Sendable {
    private struct State {
        var routes: [Route] = []
        var middlewares: [Middleware] = []
        var notFound = RouteHandler { _, responder in
            responder.send(HTTPFailure.plainText(HTTPFailure(status: 404, reason: .fileUnavailable), nil))
        }
    }

    private struct RouteHandler: Sendable {
        var options = RouteOptions(body: .discard)
        var handler: Handler

        init(_ handler: @escaping Handler) {
            self.handler = handler
        }
    }

    private let state = Mutex(State())

    package init() {}

    /// Adds a middleware around every route, `notFound` included. The first added is the outermost.
    package func use(_ middleware: @escaping Middleware) {
        state.withLock { $0.middlewares.append(middleware) }
    }

    /// Adds a route. A GET route answers HEAD as well.
    ///
    /// - Parameters:
    ///   - method: nil for every method.
    ///   - path: the pattern, beginning with a slash.
    package func add(
        _ method: HTTPMethod?, _ path: String, options: RouteOptions = RouteOptions(), handler: @escaping Handler
    ) {
        precondition(path.utf8.first == UInt8(ascii: "/"), "a route pattern begins with a slash")
        state.withLock { state in
            state.routes.append(
                Route(
                    method: method, pattern: path, parameterNames: RoutePattern(path).names, options: options,
                    handler: handler, isSubtree: RoutePattern(path).isSubtree
                )
            )
        }
    }

    /// What answers when no route matches; it runs inside the router's middlewares.
    package func notFound(_ handler: @escaping Handler) {
        state.withLock { $0.notFound = RouteHandler(handler) }
    }

    /// The finished table. Later changes to the router do not reach it.
    package func freeze(
        errorResponse: @escaping @Sendable (HTTPFailure, Request?) -> Response = HTTPFailure.plainText
    ) -> RouteTable {
        state.withLock { state in
            let root = RouteNode.Builder()
            for route in state.routes {
                let folded = Self.fold(
                    state.middlewares + route.options.middlewares, route.handler, errorResponse)
                root.insert(route.with(handler: folded), RoutePattern(route.pattern).segments[...])
            }
            let notFound = Route(
                method: nil, pattern: "", parameterNames: [], options: state.notFound.options,
                handler: Self.fold(state.middlewares, state.notFound.handler, errorResponse), isSubtree: false
            )
            return RouteTable(root: root.build(), notFound: notFound)
        }
    }

    private static func fold(
        _ middlewares: [Middleware], _ handler: @escaping Handler,
        _ errorResponse: @escaping @Sendable (HTTPFailure, Request?) -> Response
    ) -> Handler {
        let innermost: Handler = { request, responder in
            if let failure = request.failure {
                responder.send(errorResponse(failure, request))
            } else {
                handler(request, responder)
            }
        }
        return middlewares.reversed().reduce(innermost) { next, middleware in
            { request, responder in middleware(request, responder, next) }
        }
    }
}

/// A parsed pattern.
struct RoutePattern {
    enum Segment: Equatable {
        case fixed([UInt8])
        case parameter
        case tail
    }

    var segments: [Segment] = []
    var names: [String] = []

    var isSubtree: Bool { segments.last == .tail }

    init(_ pattern: String) {
        let parts = pattern.dropFirst().split(separator: "/", omittingEmptySubsequences: false)
        for (index, part) in parts.enumerated() {
            if part == "{$}" {
                segments.append(.fixed([]))
            } else if part.hasPrefix("{"), part.hasSuffix("...}") {
                segments.append(.tail)
                names.append(String(part.dropFirst().dropLast(4)))
            } else if part.hasPrefix("{"), part.hasSuffix("}") {
                segments.append(.parameter)
                names.append(String(part.dropFirst().dropLast()))
            } else if part.isEmpty, index == parts.count - 1 {
                segments.append(.tail)
            } else {
                segments.append(.fixed(Array(part.utf8)))
            }
        }
    }
}
