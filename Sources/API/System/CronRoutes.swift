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

    /// The system's come last, in PocketBase's order.
    private static let order = [
        "__pbDBOptimize__", "__pbMFACleanup__", "__pbOTPCleanup__", "__pbLogsCleanup__", "__pbAutoBackup__",
    ]

    private func list(_ exchange: Exchange) {
        func rank(_ job: CronJob) -> (Int, String) {
            (job.isSystem ? 1 + (Self.order.firstIndex(of: job.id) ?? Self.order.count) : 0, job.id)
        }
        let jobs = exchange.engine.crons.jobs.sorted { rank($0) < rank($1) }
        exchange.json(
            .array(jobs.map { ["id": .string($0.id), "expression": .string($0.schedule.expression)] }))
    }

    private func run(_ exchange: Exchange) {
        guard exchange.engine.crons.run(exchange.parameter("id")) else {
            return exchange.fail(ServiceError.notFound("Missing or invalid cron job."))
        }
        exchange.noContent()
    }
}
