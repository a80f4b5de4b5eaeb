/// The prepared statements of one connection that are not in use, the least recently used of them dropped when full.
///
/// A statement in use is not in the cache, so that running the same SQL inside itself gets a second one. SQLite
/// recompiles a kept statement itself when the schema has changed (sqlite.org/c3ref/prepare.html).
struct StatementCache {
    private var statements: [String: Statement] = [:]
    private let capacity: Int
    private var clock: UInt64 = 0

    init(capacity: Int) { self.capacity = capacity }

    var count: Int { statements.count }

    mutating func take(_ sql: String) -> Statement? {
        guard let statement = statements.removeValue(forKey: sql) else { return nil }
        statement.isFinished = false
        return statement
    }

    mutating func put(_ statement: Statement) {
        guard capacity > 0 else { return }
        clock += 1
        statement.lastUse = clock
        statements[statement.sql] = statement
        guard statements.count > capacity else { return }
        // A full scan, but only when a statement is new, which costs much more.
        if let oldest = statements.min(by: { $0.value.lastUse < $1.value.lastUse }) {
            statements.removeValue(forKey: oldest.key)
        }
    }

    mutating func removeAll() { statements.removeAll() }
}
