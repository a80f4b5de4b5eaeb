internal import CSQLite

/// Keeps what SQLite's planner believes of the tables' sizes near the truth.
///
/// Statistics that were gathered when a table had one row make the planner read it from end to end for ever, even where
/// a key is at hand, and joins then cost the product of two tables. A `PRAGMA optimize` after a change of schema, which
/// Roost and PocketBase both run, leaves just such statistics of young tables (sqlite.org/lang_analyze.html). Tables
/// without statistics are taken for large and need nothing.
struct PlannerStatistics {
    /// How many changed rows there are between two looks, at least.
    private static let changes: Int64 = 500
    /// Nanoseconds between two looks, at least.
    private static let interval: UInt64 = 2_000_000_000
    /// From how many times the size that was believed on a table is measured again.
    private static let growth: Int64 = 4

    /// The largest row id of each table when it was measured last: where rows were deleted, the count says less.
    private var measured: [String: Int64] = [:]
    private var lastChanges: Int64 = 0
    private var nextLook: UInt64 = 0

    /// Measures the tables that have outgrown their statistics, if enough was written since the last time. The writer's
    /// thread, outside of a transaction.
    /// - Returns: whether there is something new, which other connections see when they are opened anew.
    mutating func refreshIfDue(_ connection: Connection) -> Bool {
        let changes = sqlite3_total_changes64(connection.handle)
        guard changes - lastChanges >= Self.changes, monotonicNanoseconds() >= nextLook else { return false }
        return refresh(connection)
    }

    /// The same without asking how much was written.
    mutating func refresh(_ connection: Connection) -> Bool {
        defer {
            lastChanges = sqlite3_total_changes64(connection.handle)
            nextLook = monotonicNanoseconds() + Self.interval
        }
        // There is no such table before the first analysis.
        guard
            let believed = try? connection.rows(
                "SELECT tbl, max(CAST(stat AS INTEGER)) FROM sqlite_stat1 WHERE tbl NOT LIKE 'sqlite\\_%' ESCAPE '\\' GROUP BY tbl"
            )
        else { return false }
        var isNew = false
        for row in believed {
            guard let table = row[0].textValue, let rows = row[1].intValue else { continue }
            let name =
                "\"" + table.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\"\"") + "\""
            guard let last = try? connection.scalar("SELECT max(rowid) FROM \(name)")?.intValue else { continue }
            guard last > Self.growth * max(measured[table] ?? rows, 4) else { continue }
            measured[table] = last
            // The limit keeps it to about a millisecond for an index, whatever the size of the table.
            if (try? connection.execute("PRAGMA analysis_limit=400; ANALYZE \(name)")) != nil { isNew = true }
        }
        return isNew
    }
}
