internal import Engine
internal import Glibc
internal import JSON
internal import PluginABI
internal import Synchronization

/// "roost.http/1".
enum HTTPTable {
    private static let defaultBodySize = 32 << 20
    /// Headers that say where an answer ends: the server's own.
    private static let framing: Set = [
        "content-length", "transfer-encoding", "connection", "keep-alive", "upgrade", "date",
    ]

    static func make() -> roost_http_v1 {
        roost_http_v1(
            add_route: { host, route in
                guard let plugin = LoadedPlugin.from(host), let route = route?.pointee else { return ROOST_EINVALID }
                return HTTPTable.addRoute(plugin, route)
            },
            add_middleware: { host, route, priority in
                guard let plugin = LoadedPlugin.from(host), let route = route?.pointee else { return ROOST_EINVALID }
                return HTTPTable.addMiddleware(plugin, route, Int(priority))
            },
            method: { request, out in HTTPTable.text(request, out) { $0.method } },
            path: { request, out in HTTPTable.text(request, out) { $0.path } },
            parameter: { request, name, out in
                HTTPTable.text(request, out) { source in name.text.flatMap { source.parameter($0) } }
            },
            query: { request, name, out in
                HTTPTable.text(request, out) { source in name.text.flatMap { source.query($0) } }
            },
            header: { request, name, out in
                HTTPTable.text(request, out) { source in name.text.flatMap { source.header($0) } }
            },
            body: { request, out in
                guard let out else { return ROOST_EINVALID }
                out.pointee = roost_bytes()
                guard let exchange = PluginExchange.table.find(request.id) else { return ROOST_ESTALE }
                guard let bytes = exchange.call.copy(exchange.source.body) else { return ROOST_ENOMEM }
                out.pointee = bytes
                return ROOST_OK
            },
            body_json: { call, request, out in
                guard let call = PluginCall.from(call), let out else { return ROOST_EINVALID }
                out.pointee = roost_bytes()
                guard let exchange = PluginExchange.table.find(request.id) else { return ROOST_ESTALE }
                do {
                    let text = JSON.object(try exchange.source.bodyObject()).serialized()
                    guard let bytes = call.copy(text) else { return ROOST_ENOMEM }
                    out.pointee = bytes
                    return ROOST_OK
                } catch {
                    call.keep(error)
                    return ROOST_EFAILED
                }
            },
            remote_ip: { request, out in HTTPTable.text(request, out) { $0.remoteIP } },
            auth: { call, request, out in
                guard let call = PluginCall.from(call), let out else { return ROOST_EINVALID }
                out.pointee = roost_record()
                guard let exchange = PluginExchange.table.find(request.id) else { return ROOST_ESTALE }
                guard let record = exchange.source.auth else { return ROOST_ENOTFOUND }
                out.pointee = call.handle(for: record)
                return ROOST_OK
            },
            set_header: { request, name, value in
                guard let exchange = PluginExchange.table.find(request.id) else { return ROOST_ESTALE }
                guard let name = name.text, let value = value.text, HTTPTable.isHeaderName(name),
                    HTTPTable.isHeaderValue(value), !HTTPTable.framing.contains(name.lowercased())
                else { return ROOST_EINVALID }
                guard exchange.isOpen else { return ROOST_ESTALE }
                exchange.source.addHeader(name, value)
                return ROOST_OK
            },
            respond: { request, status, contentType, body in
                guard let exchange = PluginExchange.answering(request.id) else { return ROOST_ESTALE }
                guard (200...599).contains(status), let contentType = contentType.text,
                    HTTPTable.isHeaderValue(contentType), let body = body.buffer
                else { return ROOST_EINVALID }
                guard exchange.claimAnswer() else { return ROOST_ESTALE }
                exchange.source.respond(status: Int(status), contentType: contentType, body: Array(body))
                exchange.answered()
                return ROOST_OK
            },
            respond_error: { request, status, message, data in
                guard let exchange = PluginExchange.answering(request.id) else { return ROOST_ESTALE }
                guard (400...599).contains(status), let data = data.object else { return ROOST_EINVALID }
                guard exchange.claimAnswer() else { return ROOST_ESTALE }
                let failures = Dictionary(data.map { ($0.key, FailureTree.raw($0.value)) }, uniquingKeysWith: { $1 })
                exchange.source.respond(
                    ServiceError(status: Int(status), message: message.message, data: failures))
                exchange.answered()
                return ROOST_OK
            },
            is_open: { request in PluginExchange.table.find(request.id)?.isOpen == true ? 1 : 0 },
            run_on_worker: { host, function, user in
                guard let plugin = LoadedPlugin.from(host), let function else { return ROOST_EINVALID }
                let user = PluginUser(user, free: nil)
                let work: @Sendable () -> Void = {
                    ThreadRole.with(.worker) {
                        withCall(plugin) { call in function(user.pointer, call.pointer) }
                    }
                }
                if let run = plugin.services.runOnWorker {
                    return run(work) ? ROOST_OK : ROOST_ENOMEM
                }
                return WorkerThread.run(work) ? ROOST_OK : ROOST_ENOMEM
            })
    }

    private static func addRoute(_ plugin: LoadedPlugin, _ route: roost_route_v1) -> roost_status {
        guard plugin.isGranted(.http) else { return ROOST_EDENIED }
        guard plugin.phase == .initialising else { return ROOST_ETHREAD }
        guard let method = route.method.text, isHeaderName(method), method == method.uppercased(),
            let path = route.path.text, path.hasPrefix("/"), let run = PluginRun(rawValue: route.run),
            let audience = PluginAudience(rawValue: route.audience), let handler = route.handler,
            route.max_body_size >= 0
        else { return ROOST_EINVALID }
        let user = PluginUser(route.user, free: route.free)
        let made = PluginRoute(
            plugin: plugin, method: method, path: path, run: run, audience: audience,
            maxBodySize: route.max_body_size == 0 ? defaultBodySize : Int(route.max_body_size), user: user,
            handler: handler, cancel: route.cancel)
        let isSame = { (other: PluginRoute) in other.method == method && other.path == path }
        let isTaken = plugin.services.accepted.withLock { $0.routes.contains(where: isSame) }
        return plugin.registrations.withLock { registrations in
            if isTaken || registrations.routes.contains(where: isSame) { return ROOST_ECONFLICT }
            user.adopt()
            registrations.routes.append(made)
            return ROOST_OK
        }
    }

    private static func addMiddleware(
        _ plugin: LoadedPlugin, _ route: roost_route_v1, _ priority: Int
    ) -> roost_status {
        guard plugin.isGranted(.http) else { return ROOST_EDENIED }
        guard plugin.phase == .initialising else { return ROOST_ETHREAD }
        guard let method = route.method.text, let path = route.path.text, path.hasPrefix("/"),
            let run = PluginRun(rawValue: route.run), let handler = route.handler
        else { return ROOST_EINVALID }
        let user = PluginUser(route.user, free: route.free)
        user.adopt()
        let made = PluginMiddleware(
            plugin: plugin, method: method, pathPrefix: path, run: run, priority: priority, user: user,
            handler: handler, cancel: route.cancel)
        plugin.registrations.withLock { $0.middlewares.append(made) }
        return ROOST_OK
    }

    /// Gives a part of a request as text that lives as long as the request.
    private static func text(
        _ request: roost_request, _ out: UnsafeMutablePointer<roost_bytes>?,
        _ part: (any PluginRequestSource) -> String?
    ) -> roost_status {
        guard let out else { return ROOST_EINVALID }
        out.pointee = roost_bytes()
        guard let exchange = PluginExchange.table.find(request.id) else { return ROOST_ESTALE }
        guard let text = part(exchange.source) else { return ROOST_ENOTFOUND }
        guard let bytes = exchange.call.copy(text) else { return ROOST_ENOMEM }
        out.pointee = bytes
        return ROOST_OK
    }

    /// A token of RFC 9110, 5.6.2.
    static func isHeaderName(_ text: String) -> Bool {
        !text.isEmpty
            && text.utf8.allSatisfy { byte in
                (byte >= 0x30 && byte <= 0x39) || (byte | 0x20 >= 0x61 && byte | 0x20 <= 0x7A && byte >= 0x41)
                    || "!#$%&'*+-.^_`|~".utf8.contains(byte)
            }
    }

    /// Nothing that would end the line and begin another header (RFC 9110, 5.5).
    static func isHeaderValue(_ text: String) -> Bool {
        text.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F || $0 == 0x09 }
    }
}

/// A thread for one piece of work, where the server has no workers (command line, tests).
enum WorkerThread {
    private final class Work: Sendable {
        let run: @Sendable () -> Void
        init(_ run: @escaping @Sendable () -> Void) { self.run = run }
    }

    /// - Returns: false when there is no thread.
    static func run(_ work: @escaping @Sendable () -> Void) -> Bool {
        var thread = pthread_t()
        let argument = Unmanaged.passRetained(Work(work))
        let status = pthread_create(
            &thread, nil,
            { pointer in
                if let pointer { Unmanaged<Work>.fromOpaque(pointer).takeRetainedValue().run() }
                return nil
            }, argument.toOpaque())
        guard status == 0 else {
            argument.release()
            return false
        }
        pthread_detach(thread)
        return true
    }
}
