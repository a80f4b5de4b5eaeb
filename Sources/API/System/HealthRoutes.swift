import Engine
import JSON
package import WebServer

/// `/api/health`.
package struct HealthRoutes: Sendable {
    let services: Services

    package init(services: Services) { self.services = services }

    package func mount(on router: Router) {
        router.add(.get, "/api/health", options: RouteOptions(body: .discard), handler: services.handler(health))
    }

    private static let guestAnswer = Array(#"{"message":"API is healthy.","code":200,"data":{}}"#.utf8)

    private func health(_ exchange: Exchange) {
        guard exchange.isSuperuser else {
            if exchange.request.rawQuery.isEmpty { return exchange.json(Self.guestAnswer) }
            return exchange.json(["message": "API is healthy.", "code": 200, "data": [:]])
        }
        let proxies = exchange.engine.settings.snapshot.settings.trustedProxy.headers
        let header = (proxies + ["CF-Connecting-IP", "Fly-Client-IP", "X-Forwarded-For"]).first {
            !(exchange.request.headers.first($0) ?? "").isEmpty
        }
        exchange.json(
            [
                "message": "API is healthy.", "code": 200,
                "data": [
                    "canBackup": true, "possibleProxyHeader": .string(header ?? ""),
                    "realIP": .string(services.realIP(exchange.request)),
                ],
            ])
    }
}
