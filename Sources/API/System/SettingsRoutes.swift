import Engine
import JSON
import Store
package import WebServer

/// `/api/settings`: reading and changing the server's settings.
package struct SettingsRoutes: Sendable {
    let services: Services

    package init(services: Services) { self.services = services }

    package func mount(on router: Router) {
        router.add(
            .get, "/api/settings", options: RouteOptions(body: .discard), handler: services.superuserHandler(view))
        router.add(.patch, "/api/settings", handler: services.superuserHandler(update))
        router.add(.post, "/api/settings/test/s3", handler: services.superuserHandler(S3Test.run))
    }

    private func view(_ exchange: Exchange) { exchange.json(exchange.engine.settings.current.publicJSON) }

    private func update(_ exchange: Exchange) {
        do {
            let engine = exchange.engine
            let patch: JSONObject
            if case .form(let pairs)? = try? BodyReader.document(exchange.request) {
                patch = SettingsForm.patch(pairs, current: engine.settings.current.storedJSON.objectValue ?? [:])
            } else {
                patch = try BodyReader.object(
                    exchange.request, .badRequest("An error occurred while loading the submitted data."))
            }
            exchange.write(.badRequest("An error occurred while saving the new settings.")) { transaction in
                try engine.settings.update(with: patch, in: transaction)
            } then: {
                exchange.json(engine.settings.current.publicJSON)
            }
        } catch { exchange.fail(error) }
    }
}
