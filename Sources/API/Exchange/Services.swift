package import Engine
package import WebServer

/// What the core routes work with; one for a server.
package final class Services: Sendable {
    package let engine: Engine
    package let identities: IdentityCache
    package let slowReads = SlowReads()
    let emptyLists = EmptyLists()
    package let limiter: RateLimiter
    package let thumbs: ThumbServer

    /// How long a read may keep an event loop, in nanoseconds.
    package static let loopBudget: UInt64 = 1_000_000

    package init(engine: Engine, identities: IdentityCache, thumbs: ThumbServer) {
        self.engine = engine
        self.identities = identities
        limiter = engine.limiter
        self.thumbs = thumbs
    }

    /// A handler that works on an `Exchange`.
    package func handler(_ body: @escaping @Sendable (Exchange) -> Void) -> Handler {
        { request, responder in body(Exchange(request: request, responder: responder, services: self)) }
    }

    /// A handler that only superusers reach.
    package func superuserHandler(_ body: @escaping @Sendable (Exchange) -> Void) -> Handler {
        handler { exchange in
            guard exchange.auth != nil else {
                return exchange.fail(
                    ServiceError.unauthorized("The request requires valid record authorization token."))
            }
            guard exchange.isSuperuser else {
                return exchange.fail(
                    ServiceError.forbidden("The authorized record is not allowed to perform this action."))
            }
            body(exchange)
        }
    }
}
