import Engine
import JSON
import Store
package import WebServer

/// `/api/sql`: the console of the dashboard.
package struct SQLRoutes: Sendable {
    let services: Services

    package init(services: Services) { self.services = services }

    package func mount(on router: Router) {
        router.add(.post, "/api/sql", handler: services.superuserHandler(run))
    }

    private static let maxRows = 1000
    /// Seconds that reading may take, as in PocketBase. Writing, for which everybody waits, has the usual time of a query.
    private static let deadline: UInt64 = 180
    private static let writes = ["INSERT", "CREATE", "UPDATE", "DELETE", "DROP", "DETACH", "ALTER", "REPLACE"]

    private func run(_ exchange: Exchange) {
        let query: String
        do { query = try Self.query(exchange) } catch { return exchange.fail(error) }
        exchange.onThread {
            do {
                let start = Timestamp.microseconds()
                let result = try Self.execute(Self.trimmed(query), exchange)
                exchange.json(Self.json(result, microseconds: Timestamp.microseconds() - start))
            } catch {
                let words = (error as? StoreError)?.consoleText ?? "\(error)"
                exchange.fail(ServiceError.badRequest("Failed to execute query. Raw error:\n\(words)"))
            }
        }
    }

    private static func query(_ exchange: Exchange) throws -> String {
        let failure = ServiceError.badRequest("An error occurred while loading the submitted data.")
        let body = try BodyReader.object(exchange.request, failure)
        let query: String
        switch body["query"] {
        case nil, .null?: query = ""
        case .string(let text)?: query = text
        default: throw failure
        }
        let invalid = "An error occurred while validating the submitted data."
        if query.isEmpty { throw ServiceError.validation(invalid, ["query": .required]) }
        if query.unicodeScalars.count > 5000 {
            let tooLong = FieldFailure(
                "validation_length_too_long", "The length must be no more than 5000.",
                params: ["max": 5000, "min": 0])
            throw ServiceError.validation(invalid, ["query": tooLong])
        }
        return query
    }

    private static func trimmed(_ text: String) -> String {
        var text = text[...]
        while text.first?.isWhitespace == true { text.removeFirst() }
        while text.last?.isWhitespace == true { text.removeLast() }
        return String(text)
    }

    private struct EmptyQuery: Error, CustomStringConvertible { let description = "empty query" }

    private static func execute(_ query: String, _ exchange: Exchange) throws -> ConsoleResult {
        let engine = exchange.engine
        guard !query.isEmpty else { throw EmptyQuery() }
        let capitals = query.uppercased()
        let isWrite = writes.contains { capitals.hasPrefix($0) }
        if !isWrite {
            let result = try engine.data.readApart(deadline: deadline) { connection in
                connection.onlyReads(query) ? try connection.runConsole(query, maxRows: maxRows) : nil
            }
            if let result { return result }
        }
        var result: ConsoleResult
        if ["VACUUM", "VACUUM;"].contains(capitals) {
            // It does not run inside a transaction.
            try engine.data.maintain { try $0.execute("VACUUM") }
            result = ConsoleResult()
        } else {
            let end = UInt64(max(engine.configuration.queryTimeout, 1)) * 1_000_000_000
            result = try engine.data.writeAndWait { transaction in
                defer { try? engine.readCollections(in: transaction) }
                return try transaction.connection.withBudget(deadline: Timestamp.monotonic() &+ end) {
                    try transaction.connection.runConsole(query, maxRows: maxRows)
                }
            }
            // It may have ended somebody's tokens.
            exchange.services.identities.forgetAll()
        }
        if isWrite {
            result.columns = []
            result.rows = []
        } else {
            result.affectedRows = 0
        }
        return result
    }

    private static func json(_ result: ConsoleResult, microseconds: Int64) -> JSON {
        var seen: [String: Int] = [:]
        let columns = result.columns.map { column -> JSON in
            // Columns of one name are told apart as SQLite does it in a sub-query.
            let count = seen[column.name, default: 0]
            seen[column.name] = count + 1
            let name = count == 0 ? column.name : "\(column.name):\(count)"
            return ["name": .string(name), "type": .string(column.type), "nullable": true]
        }
        let rows = result.rows.map { row in JSON.array(row.map { $0.map { .string($0) } ?? .null }) }
        return [
            "execTime": .number(Double(microseconds / 1000)), "affectedRows": .number(Double(result.affectedRows)),
            "columns": .array(columns), "rows": .array(rows),
        ]
    }
}
