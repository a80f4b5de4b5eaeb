package import NIOCore
import Synchronization

/// One step of the path in the table. Immutable, so that every event loop may walk it.
final class RouteNode: Sendable {
    let fixed: [(segment: [UInt8], node: RouteNode)]
    let parameter: RouteNode?
    /// Routes that end here.
    let routes: [Route]
    /// Routes that take everything below.
    let tails: [Route]

    private init(
        fixed: [(segment: [UInt8], node: RouteNode)], parameter: RouteNode?, routes: [Route], tails: [Route]
    ) {
        self.fixed = fixed
        self.parameter = parameter
        self.routes = routes
        self.tails = tails
    }

    final class Builder {
        private var fixed: [(segment: [UInt8], node: Builder)] = []
        private var parameter: Builder?
        private var routes: [Route] = []
        private var tails: [Route] = []

        func insert(_ route: Route, _ segments: ArraySlice<RoutePattern.Segment>) {
            guard let segment = segments.first else {
                routes.removeAll { $0.method == route.method }
                routes.append(route)
                return
            }
            switch segment {
            case .tail:
                tails.removeAll { $0.method == route.method }
                tails.append(route)
            case .parameter:
                let next = parameter ?? Builder()
                parameter = next
                next.insert(route, segments.dropFirst())
            case .fixed(let bytes):
                if let existing = fixed.first(where: { $0.segment == bytes }) {
                    existing.node.insert(route, segments.dropFirst())
                } else {
                    let next = Builder()
                    fixed.append((bytes, next))
                    next.insert(route, segments.dropFirst())
                }
            }
        }

        func build() -> RouteNode {
            RouteNode(
                fixed: fixed.map { ($0.segment, $0.node.build()) }, parameter: parameter?.build(), routes: routes,
                tails: tails
            )
        }
    }
}

/// The frozen routes of a server.
package final class RouteTable: Sendable {
    private let root: RouteNode
    let notFound: Route

    init(root: RouteNode, notFound: Route) {
        self.root = root
        self.notFound = notFound
    }

    /// The route for a path, and where the values of its parameters lie in `bytes`.
    func match(_ method: HTTPMethod, _ bytes: ByteBuffer, _ path: Range<Int>) -> (Route, [Range<Int>])? {
        bytes.withUnsafeReadableBytes { all in
            var captures: [Range<Int>] = []
            guard path.lowerBound < path.upperBound, all[path.lowerBound] == UInt8(ascii: "/"),
                let route = Self.walk(root, all, path.lowerBound + 1, path.upperBound, method, &captures)
            else { return nil }
            return (route, captures)
        }
    }

    /// Whether `path` with a slash added is the root of a subtree: Go then redirects to it.
    func matchesWithSlash(_ method: HTTPMethod, _ bytes: ByteBuffer, _ path: Range<Int>) -> Bool {
        let raw = bytes.withUnsafeReadableBytes { Array($0[path]) }
        guard raw.last != UInt8(ascii: "/") else { return false }
        let slashed = ByteBuffer(bytes: raw + [UInt8(ascii: "/")])
        guard let (route, _) = match(method, slashed, 0..<slashed.readableBytes), route.isSubtree else { return false }
        let depth = raw.filter { $0 == UInt8(ascii: "/") }.count + 1
        return RoutePattern(route.pattern).segments.count == depth
    }

    /// Runs a request that was made inside the process, for example one of a batch.
    ///
    /// - Parameters:
    ///   - target: path and query, as in a request line.
    ///   - parent: the request on whose behalf it runs: its address, loop and TLS state are taken over.
    ///   - prepare: sees the request before its route's middlewares do, to pass on attributes.
    ///   - completion: gets the answer, once, on whatever thread it is made. Streams and upgrades are not possible.
    package func dispatch(
        _ method: HTTPMethod, _ target: String, headers: Headers, body: ByteBuffer, parent: Request,
        prepare: (Request) -> Void = { _ in }, completion: @escaping @Sendable (Response) -> Void
    ) {
        let bytes = ByteBuffer(string: target)
        let mark = target.utf8.firstIndex(of: UInt8(ascii: "?"))
        let query = mark.map { target.utf8.distance(from: target.startIndex, to: $0) }
        let pathEnd = query ?? bytes.readableBytes
        let queryStart = query.map { $0 + 1 } ?? bytes.readableBytes
        let (route, captures) = match(method, bytes, 0..<pathEnd) ?? (notFound, [])
        let request = Request(
            method: method, headers: headers, bytes: bytes, path: 0..<pathEnd,
            query: queryStart..<bytes.readableBytes,
            parameters: RouteParameters(names: route.parameterNames, ranges: captures, bytes: bytes),
            routePattern: route.pattern, body: body, parent: parent, capture: completion
        )
        prepare(request)
        let limit: Int
        switch route.options.body {
        case .discard: limit = .max
        case .collect(let maxBytes), .stream(let maxBytes): limit = route.options.bodyLimit?(request) ?? maxBytes
        }
        request.state.withLock { state in
            state.isDispatched = true
            if body.readableBytes > limit { state.failure = .bodyTooLarge }
        }
        route.handler(request, Responder(request: request))
    }

    private static func walk(
        _ node: RouteNode, _ all: UnsafeRawBufferPointer, _ start: Int, _ end: Int, _ method: HTTPMethod,
        _ captures: inout [Range<Int>]
    ) -> Route? {
        var stop = start
        var isEscaped = false
        while stop < end, all[stop] != UInt8(ascii: "/") {
            if all[stop] == UInt8(ascii: "%") { isEscaped = true }
            stop += 1
        }
        let isLast = stop == end
        let decoded = isEscaped ? Array(PercentCoding.decode(all[start..<stop]).utf8) : []
        for (segment, next) in node.fixed {
            if isEscaped {
                guard segment == decoded else { continue }
            } else {
                guard segment.count == stop - start,
                    segment.indices.allSatisfy({ segment[$0] == all[start &+ $0] })
                else { continue }
            }
            if isLast {
                if let route = choose(next.routes, method) { return route }
            } else if let route = walk(next, all, stop + 1, end, method, &captures) {
                return route
            }
        }
        if let next = node.parameter, stop > start {
            captures.append(start..<stop)
            if isLast {
                if let route = choose(next.routes, method) { return route }
            } else if let route = walk(next, all, stop + 1, end, method, &captures) {
                return route
            }
            captures.removeLast()
        }
        if let route = choose(node.tails, method) {
            captures.append(start..<end)
            return route
        }
        return nil
    }

    private static func choose(_ routes: [Route], _ method: HTTPMethod) -> Route? {
        var fallback: Route?
        for route in routes {
            if route.method == method { return route }
            if route.method == nil {
                fallback = fallback ?? route
            } else if route.method == .get, method == .head {
                fallback = route
            }
        }
        return fallback
    }
}
