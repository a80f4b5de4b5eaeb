/// The prepared statements of one connection, the least recently used of them dropped when there are too many.
///
/// A statement stays in the cache while it is in use; running the same SQL inside itself gets a second one, which is
/// dropped afterwards. SQLite recompiles a kept statement itself when the schema has changed
/// (sqlite.org/c3ref/prepare.html).
struct StatementCache {
    private var statements: [String: Statement] = [:]
    private let capacity: Int
    private var clock: UInt64 = 0

    init(capacity: Int) { self.capacity = capacity }

    var count: Int { statements.count }

    /// The statement kept for this SQL, unless it is in use.
    mutating func take(_ sql: String) -> Statement? {
        guard let statement = statements[sql], statement.isFinished else { return nil }
        clock &+= 1
        statement.lastUse = clock
        statement.isFinished = false
        return statement
    }

    /// Keeps a new statement, if none is kept for its SQL.
    mutating func add(_ statement: Statement) {
        guard capacity > 0, statements[statement.sql] == nil else { return }
        if statements.count >= capacity {
            // A full scan, but only when a statement is new, which costs much more.
            let free = statements.lazy.filter { $0.value.isFinished }
            guard let oldest = free.min(by: { $0.value.lastUse < $1.value.lastUse }) else { return }
            statements.removeValue(forKey: oldest.key)
        }
        clock &+= 1
        statement.lastUse = clock
        statements[statement.sql] = statement
    }

    mutating func removeAll() { statements.removeAll() }
}
