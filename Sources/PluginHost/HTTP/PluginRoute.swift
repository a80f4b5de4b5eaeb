internal import Engine
internal import PluginABI

/// Where a handler of a plugin runs.
package enum PluginRun: UInt32, Sendable {
    /// On the event loop: it only looks and answers.
    case loop = 0
    /// On a worker thread.
    case worker = 1
}

/// Who may call a route.
package enum PluginAudience: UInt32, Sendable {
    case anyone = 0
    /// Only without a signed-in record.
    case guest = 1
    /// Any signed-in record.
    case user = 2
    case superuser = 3
}

/// A route that a plugin registered; the API mounts it.
package struct PluginRoute: Sendable {
    let plugin: LoadedPlugin
    package let method: String
    /// `/api/greet/{name}`; `{rest...}` takes the tail.
    package let path: String
    package let run: PluginRun
    package let audience: PluginAudience
    /// Bytes.
    package let maxBodySize: Int
    let user: PluginUser
    let handler: roost_http_handler
    let cancel: roost_http_cancel?

    package var pluginID: String { plugin.id }

    /// Handles one request on the calling thread, which must be of the kind that `run` asks for. The request is
    /// answered when this returns, or will be from any thread.
    ///
    /// - Returns: the exchange of a request whose answer is still to come, to be cancelled when the client goes; nil
    ///   when it is answered.
    package func handle(_ source: any PluginRequestSource) -> PluginExchange? {
        ThreadRole.with(run == .loop ? .loop : .worker) {
            let exchange = PluginExchange(
                source: source, plugin: plugin, call: SharedCalls.take(plugin), user: user, cancelled: cancel)
            exchange.call.source = source
            let status = handler(user.pointer, exchange.call.pointer, roost_request(id: exchange.handle))
            if status == ROOST_PENDING { return exchange.handlerReturned(isPending: true) ? exchange : nil }
            if !exchange.isAnswered, exchange.claimAnswer() {
                if status < 0 {
                    source.respond(exchange.call.serviceError(status))
                } else {
                    plugin.logOnce("The handler of \(method) \(path) answered nothing.")
                    source.respond(ServiceError.internal())
                }
            }
            _ = exchange.handlerReturned(isPending: false)
            return nil
        }
    }
}

/// A middleware that a plugin registered; the API mounts it before the routes, in ascending order of priority.
package struct PluginMiddleware: Sendable {
    package enum Outcome: Sendable {
        /// The request goes on.
        case next
        /// It is answered.
        case answered
        /// It will be answered.
        case pending(PluginExchange)
    }

    let plugin: LoadedPlugin
    /// "" for all.
    package let method: String
    package let pathPrefix: String
    package let run: PluginRun
    package let priority: Int
    let user: PluginUser
    let handler: roost_http_handler
    let cancel: roost_http_cancel?

    package var pluginID: String { plugin.id }

    /// Whether it wants to see a request.
    package func concerns(method: String, path: String) -> Bool {
        (self.method.isEmpty || self.method == method) && path.hasPrefix(pathPrefix)
    }

    /// Shows it a request, on a thread of the kind that `run` asks for.
    package func handle(_ source: any PluginRequestSource) -> Outcome {
        ThreadRole.with(run == .loop ? .loop : .worker) {
            let exchange = PluginExchange(
                source: source, plugin: plugin, call: SharedCalls.take(plugin), user: user, cancelled: cancel)
            exchange.call.source = source
            let status = handler(user.pointer, exchange.call.pointer, roost_request(id: exchange.handle))
            if status == ROOST_PENDING {
                return exchange.handlerReturned(isPending: true) ? .pending(exchange) : .answered
            }
            if status < 0, !exchange.isAnswered, exchange.claimAnswer() {
                source.respond(exchange.call.serviceError(status))
            }
            let isAnswered = exchange.isAnswered
            _ = exchange.handlerReturned(isPending: false)
            return isAnswered ? .answered : .next
        }
    }
}

extension PluginCall {
    /// The answer to a request whose handler failed.
    func serviceError(_ status: roost_status) -> ServiceError {
        switch error(status) {
        case let error as ServiceError: return error
        case let failure as FieldFailure: return ServiceError.badRequest(failure.message)
        case let other:
            owner?.log(8, "A request failed: \(other)")
            return ServiceError.internal()
        }
    }
}
