import Engine
package import WebServer

/// `/_/` while no plugin brings a dashboard.
package struct DashboardPlaceholder: Sendable {
    let services: Services

    package init(services: Services) { self.services = services }

    package func mount(on router: Router) {
        // A subtree, as the dashboard is: "/_" leads to "/_/".
        router.add(
            .get, "/_/{path...}", options: RouteOptions(body: .discard),
            handler: services.handler { exchange in
                guard exchange.parameter("path").isEmpty else {
                    return exchange.fail(ServiceError.notFound("File not found."))
                }
                exchange.responder.send(
                    Response(headers: Self.headers, body: .bytes(Array(Self.page.utf8))))
            })
    }

    private static let headers = [
        ("Content-Type", "text/html; charset=utf-8"),
        ("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"),
    ]

    private static let page = """
        <!doctype html>
        <html lang="en">
        <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <title>Roost</title>
        <style>body{font:16px/1.5 system-ui,sans-serif;max-width:40em;margin:15vh auto;padding:0 1em}code{font-size:.95em}</style>
        </head>
        <body>
        <h1>Roost is running</h1>
        <p>No plugin that brings a dashboard is installed. The API is at <code>/api/</code>; superusers are made with
        <code>roost superuser upsert EMAIL PASSWORD</code>.</p>
        </body>
        </html>

        """
}
