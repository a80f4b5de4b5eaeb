import Engine
import JSON
package import WebServer

/// `/api/crons`: the jobs that run by the clock.
package struct CronRoutes: Sendable {
    let services: Services

    package init(services: Services) { self.services = services }

    package func mount(on router: Router) {
        let none = RouteOptions(body: .discard)
        router.add(.get, "/api/crons", options: none, handler: services.superuserHandler(list))
        router.add(.post, "/api/crons/{id}", options: none, handler: services.superuserHandler(run))
    }

    private func list(_ exchange: Exchange) {
        let jobs = exchange.engine.crons.jobs
        let others = jobs.filter { !$0.isSystem }.sorted { $0.id < $1.id }
        // The system's come last, in the order they were added.
        exchange.json(
            .array(
                (others + jobs.filter(\.isSystem)).map { job in
                    ["id": .string(job.id), "expression": .string(job.schedule.expression)]
                }))
    }

    private func run(_ exchange: Exchange) {
        guard exchange.engine.crons.run(exchange.parameter("id")) else {
            return exchange.fail(ServiceError.notFound("Missing or invalid cron job."))
        }
        exchange.noContent()
    }
}
