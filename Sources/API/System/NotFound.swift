import Engine
package import WebServer

/// What answers where no route does.
package struct NotFound: Sendable {
    let services: Services

    package init(services: Services) { self.services = services }

    package func mount(on router: Router) {
        router.notFound(
            services.handler { exchange in
                // PocketBase's file server answers all GETs outside of the API and so knows of files only.
                let isRead = exchange.request.method == .get || exchange.request.method == .head
                exchange.fail(isRead ? ServiceError.notFound("File not found.") : .notFound())
            })
    }
}
