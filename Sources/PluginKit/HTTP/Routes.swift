internal import PluginABI
internal import Synchronization

/// Where a handler runs.
public enum RunsOn: UInt32, Sendable {
    /// On an event loop: for handlers that only look and answer, within about a millisecond.
    case loop = 0
    /// On a worker thread: for everything that reads records, hashes or waits.
    case worker = 1
}

/// Who may call a route; everybody else is answered 401 or 403.
public enum Audience: UInt32, Sendable {
    case anyone = 0
    /// Only without a signed-in record.
    case guests = 1
    /// Any signed-in record.
    case users = 2
    case superusers = 3
}

extension Host {
    /// Adds a route.
    ///
    ///     try host.route("GET", "/api/greet/{name}") { request in
    ///         .json(["message": .string("Hello, \(request.parameter("name") ?? "")!")])
    ///     }
    ///
    /// - Parameters:
    ///   - path: `{name}` takes one segment, `{name...}` the tail.
    ///   - maxBodySize: in bytes; 0 for 32 MiB.
    /// - Throws: ``HostError`` when the route is taken or "http" is not granted.
    public func route(
        _ method: String, _ path: String, run: RunsOn = .worker, audience: Audience = .anyone, maxBodySize: Int = 0,
        _ handler: @escaping @Sendable (HTTPRequest) throws -> HTTPResponse
    ) throws {
        try add(method, path, run, audience, maxBodySize, nil, RouteBox(self, .answers(handler)))
    }

    /// Adds a route whose handler is `async`. It starts on Swift's own threads: use ``Host/onWorker(_:)`` for records.
    /// Its task is cancelled when the client is gone or the request's time is over.
    public func route(
        _ method: String, _ path: String, audience: Audience = .anyone, maxBodySize: Int = 0,
        _ handler: @escaping @Sendable (HTTPRequest) async throws -> HTTPResponse
    ) throws {
        try add(method, path, .loop, audience, maxBodySize, nil, RouteBox(self, .answersLater(handler)))
    }

    /// Adds a route that is answered on the event loop when that is quick, and on a worker thread otherwise.
    ///
    /// - Parameters:
    ///   - quick: answers within about a millisecond, or returns nil to leave the request to `slow`.
    ///   - slow: may read at length and wait. What it throws is answered; failures that a call into the host noted are
    ///     not part of that answer.
    public func route(
        _ method: String, _ path: String, audience: Audience = .anyone, maxBodySize: Int = 0,
        quick: @escaping @Sendable (HTTPRequest) throws -> HTTPResponse?,
        slow: @escaping @Sendable (HTTPRequest) throws -> HTTPResponse
    ) throws {
        try add(method, path, .loop, audience, maxBodySize, nil, RouteBox(self, .answersQuicklyOr(quick, slow)))
    }

    /// Takes a job to be run on a thread that may wait; false when too much is waiting already.
    public typealias Executor = @Sendable (@escaping @Sendable () -> Void) -> Bool

    /// Adds a route that is answered on threads of the plugin's own, so that it can be as slow as it likes without
    /// keeping the server's workers from others. When `executor` refuses, the answer is 503. A handler answers what it
    /// throws; failures that a call into the host noted are not part of that answer.
    public func route(
        _ method: String, _ path: String, audience: Audience = .anyone, maxBodySize: Int = 0,
        on executor: @escaping Executor, _ handler: @escaping @Sendable (HTTPRequest) throws -> HTTPResponse
    ) throws {
        try add(method, path, .loop, audience, maxBodySize, nil, RouteBox(self, .answersElsewhere(executor, handler)))
    }

    /// Adds a middleware: it sees every request whose path begins with `prefix` before its route, in ascending order of
    /// `priority`, and answers it or passes it on by returning nil.
    public func middleware(
        _ prefix: String, priority: Int = 0, run: RunsOn = .loop,
        _ handler: @escaping @Sendable (HTTPRequest) throws -> HTTPResponse?
    ) throws {
        try add("", prefix, run, .anyone, 0, priority, RouteBox(self, .mayAnswer(handler)))
    }

    private func add(
        _ method: String, _ path: String, _ run: RunsOn, _ audience: Audience, _ maxBodySize: Int, _ priority: Int?,
        _ handler: RouteBox
    ) throws {
        guard let table = httpTable else { throw HostError.denied(ROOST_TABLE_HTTP) }
        let box = Unmanaged.passRetained(handler)
        var route = roost_route_v1()
        route.run = run.rawValue
        route.audience = audience.rawValue
        route.max_body_size = Int64(maxBodySize)
        route.user = box.toOpaque()
        route.handler = { user, raw, request in
            guard let user, let raw else { return ROOST_EINVALID }
            let box = Unmanaged<RouteBox>.fromOpaque(user).takeUnretainedValue()
            return box.handle(HTTPRequest(request, Call(raw, box.host)))
        }
        route.cancel = { user, request in
            guard let user else { return }
            Unmanaged<RouteBox>.fromOpaque(user).takeUnretainedValue().cancel(request.id)
        }
        route.free = { user in
            if let user { Unmanaged<RouteBox>.fromOpaque(user).release() }
        }
        let status = method.withRoostBytes { method in
            path.withRoostBytes { path in
                route.method = method
                route.path = path
                return withUnsafePointer(to: route) {
                    priority.map { [route = $0] in table.pointee.add_middleware?(raw, route, Int32(clamping: $0)) }
                        ?? table.pointee.add_route?(raw, $0)
                }
            }
        }
        if (status ?? ROOST_EUNSUPPORTED) < 0 { box.release() }
        try check(status)
    }
}

typealias Executor = Host.Executor

/// One registered handler and its pending requests.
private final class RouteBox: Sendable {
    enum Handler: Sendable {
        case answers(@Sendable (HTTPRequest) throws -> HTTPResponse)
        case answersLater(@Sendable (HTTPRequest) async throws -> HTTPResponse)
        case answersQuicklyOr(
            @Sendable (HTTPRequest) throws -> HTTPResponse?, @Sendable (HTTPRequest) throws -> HTTPResponse)
        case answersElsewhere(Executor, @Sendable (HTTPRequest) throws -> HTTPResponse)
        case mayAnswer(@Sendable (HTTPRequest) throws -> HTTPResponse?)
    }

    let host: Host
    private let handler: Handler
    private let pending = Mutex<[UInt64: Task<Void, Never>]>([:])

    init(_ host: Host, _ handler: Handler) {
        self.host = host
        self.handler = handler
    }

    func handle(_ request: HTTPRequest) -> roost_status {
        switch handler {
        case .answers(let handler):
            return request.call.run { try request.respond(try handler(request)) }
        case .mayAnswer(let handler):
            return request.call.run {
                if let response = try handler(request) { try request.respond(response) }
            }
        case .answersQuicklyOr(let quick, let slow):
            do {
                if let response = try quick(request) {
                    try request.respond(response)
                    return ROOST_OK
                }
            } catch { return request.call.report(error) }
            return later(request, slow)
        case .answersElsewhere(let run, let handler):
            let isTaken = run {
                do { try request.respond(try handler(request)) } catch { request.respond(error: error) }
            }
            return isTaken ? ROOST_PENDING : request.call.report(ServiceError.overloaded)
        case .answersLater(let handler):
            // Under the lock, so that the task cannot end before it is known.
            pending.withLock { pending in
                pending[request.raw.id] = Task {
                    do {
                        let response = try await handler(request)
                        try request.respond(response)
                    } catch {
                        request.respond(error: error)
                    }
                    self.finish(request.raw.id)
                }
            }
            return ROOST_PENDING
        }
    }

    private func later(
        _ request: HTTPRequest, _ handler: @escaping @Sendable (HTTPRequest) throws -> HTTPResponse
    ) -> roost_status {
        let job = Unmanaged.passRetained(
            WorkerJob { _ in
                do { try request.respond(try handler(request)) } catch { request.respond(error: error) }
            })
        let status = host.httpTable?.pointee.run_on_worker?(
            host.raw,
            { user, call in
                guard let user, let call else { return }
                Unmanaged<WorkerJob>.fromOpaque(user).takeRetainedValue().body(call)
            }, job.toOpaque())
        guard let status, status >= 0 else {
            job.release()
            return request.call.report(ServiceError.overloaded)
        }
        return ROOST_PENDING
    }

    private func finish(_ id: UInt64) {
        _ = pending.withLock { $0.removeValue(forKey: id) }
    }

    func cancel(_ id: UInt64) {
        let task = pending.withLock { $0.removeValue(forKey: id) }
        task?.cancel()
    }
}
