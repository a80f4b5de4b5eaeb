import Engine
import JSON
import Store
package import WebServer

/// `/api/logs`: what `auxiliary.db` keeps of requests and messages. Whoever reads it has what waits inserted before.
package struct LogRoutes: Sendable {
    let services: Services

    package init(services: Services) { self.services = services }

    package func mount(on router: Router) {
        let none = RouteOptions(body: .discard)
        router.add(.get, "/api/logs", options: none, handler: services.superuserHandler(list))
        router.add(.delete, "/api/logs", options: none, handler: services.superuserHandler(clear))
        router.add(.get, "/api/logs/stats", options: none, handler: services.superuserHandler(stats))
        router.add(.get, "/api/logs/{id}", options: none, handler: services.superuserHandler(view))
    }

    private func clear(_ exchange: Exchange) {
        exchange.work {
            do {
                try exchange.engine.logs.clear()
                exchange.noContent()
            } catch { exchange.fail(error, .badRequest("Failed to delete the logs.")) }
        }
    }

    private func list(_ exchange: Exchange) {
        exchange.work {
            exchange.engine.logs.flush()
            exchange.listTable(SystemTable.logs, in: exchange.engine.auxiliary, row: Self.json)
        }
    }

    private static func json(_ statement: Statement) -> JSON {
        [
            "id": .string(statement.text(2)), "created": .string(statement.text(0)),
            "data": (try? JSONParser.parse(statement.text(1))) ?? .object(JSONObject()),
            "message": .string(statement.text(4)), "level": .number(Double(statement.int(3))),
        ]
    }

    private func view(_ exchange: Exchange) {
        let id = exchange.parameter("id")
        exchange.work {
            do {
                exchange.engine.logs.flush()
                let log: JSON? = try exchange.engine.auxiliary.read { connection in
                    try connection.withStatement(
                        "SELECT `created`, `data`, `id`, `level`, `message` FROM `_logs` WHERE `id` = ?"
                    ) { statement in
                        try statement.bindText(id, at: 1)
                        return try statement.step() ? Self.json(statement) : Optional<JSON>.none
                    }
                }
                guard let log else { throw ServiceError.notFound() }
                exchange.json(log)
            } catch { exchange.fail(error, .notFound()) }
        }
    }

    private func stats(_ exchange: Exchange) {
        exchange.work {
            do {
                let filter = exchange.query("filter")
                let schema = Schema(collections: [SystemTable.logs], version: 0)
                var condition = ""
                var values: [SQLValue] = []
                if !filter.isEmpty {
                    do {
                        let plan = try RecordQuery.list(
                            SystemTable.logs, schema: schema, rule: nil, filter: filter, sort: "", allowsHidden: true,
                            request: RequestInfo(), cache: PlanCache(capacity: 2))
                        condition = "WHERE `id` IN (SELECT `id` FROM (\(plan.sql)))"
                        values = plan.values(for: RequestInfo(), extra: [.integer(-1), .integer(0)])
                    } catch { throw ServiceError.badRequest("Invalid filter format.") }
                }
                let sql =
                    "SELECT COUNT(`id`), strftime('%Y-%m-%d %H:00:00', `created`) AS `date` FROM `_logs` \(condition) "
                    + "GROUP BY `date`"
                exchange.engine.logs.flush()
                let rows = try exchange.engine.auxiliary.read { try $0.rows(sql, values) }
                exchange.json(
                    .array(
                        rows.map { row in
                            [
                                "date": .string((row[1].textValue ?? "") + ".000Z"),
                                "total": .number(Double(row[0].intValue ?? 0)),
                            ]
                        }))
            } catch { exchange.fail(error, .badRequest("Failed to generate logs stats.")) }
        }
    }
}
