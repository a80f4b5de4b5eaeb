import Store
import Testing

@Suite("Connection")
struct ConnectionTests {
    private let scratch: Scratch
    private let connection: Connection

    init() throws {
        scratch = try Scratch()
        connection = try Connection(path: scratch.file("a.db"), access: .readWrite(create: true))
        try connection.execute("CREATE TABLE t (a, b TEXT, UNIQUE (a, b)); CREATE TABLE u (x TEXT NOT NULL)")
    }

    @Test("values come back as they were bound")
    func values() throws {
        let values: [SQLValue] = [
            .null, .integer(.min), .real(0.5), .text("é\0x"), .text(""), .blob([0, 255]), .blob([]),
        ]
        for value in values {
            #expect(try connection.scalar("SELECT ?1", [value]) == value)
        }
        #expect(try connection.rows("SELECT ?1, ?2", [1, "x"]) == [[1, "x"]])
    }

    @Test("run tells how many rows it changed, and 0 for what changes none")
    func changes() throws {
        #expect(try connection.run("INSERT INTO t VALUES (1, 'x'), (2, 'y')") == 2)
        #expect(try connection.run("UPDATE t SET b = 'z'") == 2)
        #expect(try connection.run("CREATE TABLE v (x)") == 0)
        #expect(try connection.run("SELECT * FROM t") == 0)
        #expect(try connection.run("DELETE FROM t WHERE a = 9") == 0)
    }

    @Test("a statement is kept prepared and lent once at a time")
    func cache() throws {
        let before = connection.cachedStatementCount
        let sql = "SELECT a FROM t ORDER BY a"
        try connection.run("INSERT INTO t VALUES (1, 'x'), (2, 'y')")
        let first = try connection.prepare(sql)
        #expect(try first.step())
        let second = try connection.prepare(sql)
        #expect(first !== second)
        #expect(try second.step())
        #expect(try first.step())
        first.finish()
        second.finish()
        #expect(connection.cachedStatementCount == before + 2)
        let third = try connection.prepare(sql)
        #expect(third === first || third === second)
        third.finish()
        third.finish()
        #expect(throws: StoreError.self) { try third.step() }
    }

    @Test("only so many statements are kept, the ones used last")
    func cacheLimit() throws {
        var configuration = Connection.Configuration()
        configuration.statementCacheSize = 3
        let connection = try Connection(
            path: scratch.file("b.db"), access: .readWrite(create: true), configuration: configuration)
        let kept = try connection.prepare("SELECT 0")
        kept.finish()
        for number in 1...5 {
            try connection.run("SELECT \(number)")
            try connection.run("SELECT 0")
        }
        #expect(connection.cachedStatementCount == 3)
        let again = try connection.prepare("SELECT 0")
        #expect(again === kept)
        again.finish()
    }

    @Test("values bound before do not stay in a kept statement")
    func bindings() throws {
        #expect(try connection.scalar("SELECT ?1", ["x"]) == "x")
        #expect(try connection.scalar("SELECT ?1") == .null)
    }

    @Test("a kept statement follows a change of the schema")
    func schemaChange() throws {
        let other = try Connection(path: scratch.file("a.db"), access: .readWrite(create: false))
        try connection.run("INSERT INTO t VALUES (1, 'x')")
        #expect(try connection.firstRow("SELECT * FROM t") == [1, "x"])
        try other.execute("ALTER TABLE t ADD COLUMN c DEFAULT 'new'")
        #expect(try connection.firstRow("SELECT * FROM t") == [1, "x", "new"])
        try connection.execute("DROP TABLE t")
        #expect(throws: StoreError.self) { try connection.firstRow("SELECT * FROM t") }
    }

    @Test("prepare takes one statement, execute any number")
    func oneStatement() throws {
        #expect(throws: StoreError.self) { try connection.prepare("SELECT 1; SELECT 2") }
        #expect(throws: StoreError.self) { try connection.prepare(" -- nothing") }
        #expect(try connection.scalar("SELECT 1; -- the end ") == 1)
        try connection.execute("SELECT 1; INSERT INTO u VALUES ('x'); DELETE FROM u")
    }

    @Test("double quotes may hold a string, as PocketBase's schema has it")
    func doubleQuotes() throws {
        try connection.execute(#"CREATE TABLE d (x TEXT DEFAULT "base"); INSERT INTO d DEFAULT VALUES"#)
        #expect(try connection.scalar(#"SELECT x FROM d WHERE x = "base""#) == "base")
    }

    @Test("a unique violation names its columns")
    func uniqueColumns() throws {
        try connection.run("INSERT INTO t VALUES (1, 'x')")
        let failure = #expect(throws: StoreError.self) { try connection.run("INSERT INTO t VALUES (1, 'x')") }
        #expect(failure?.isUniqueConstraint == true)
        #expect(failure?.isConstraint == true)
        #expect(failure?.uniqueColumns.map(\.table) == ["t", "t"])
        #expect(failure?.uniqueColumns.map(\.column) == ["a", "b"])
        #expect(failure?.sql == "INSERT INTO t VALUES (1, 'x')")
    }

    @Test("a violation of an index on an expression names the index")
    func uniqueIndex() throws {
        try connection.execute("CREATE UNIQUE INDEX idx_lower ON u (lower(x)); INSERT INTO u VALUES ('a')")
        let failure = #expect(throws: StoreError.self) { try connection.run("INSERT INTO u VALUES ('A')") }
        #expect(failure?.uniqueIndex == "idx_lower")
        #expect(failure?.uniqueColumns.isEmpty == true)
    }

    @Test("constraints are told apart")
    func constraints() throws {
        let failure = #expect(throws: StoreError.self) { try connection.run("INSERT INTO u VALUES (NULL)") }
        #expect(failure?.isNotNullConstraint == true)
        #expect(failure?.isUniqueConstraint == false)
    }

    @Test("a read-only connection does not write")
    func readOnly() throws {
        let reader = try Connection(path: scratch.file("a.db"), access: .readOnly)
        let failure = #expect(throws: StoreError.self) { try reader.run("DELETE FROM t") }
        #expect(failure?.isReadOnly == true)
    }

    private let endless = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT max(x) FROM n"

    @Test("a query that uses up its budget is stopped, and the next is not")
    func budget() throws {
        let failure = #expect(throws: StoreError.self) {
            try connection.withBudget(nanoseconds: 2_000_000) { try connection.scalar(endless) }
        }
        #expect(failure?.isBudgetExceeded == true)
        #expect(failure?.isInterrupted == false)
        #expect(try connection.scalar("SELECT 1") == 1)
    }

    @Test("a deadline stops what a longer budget would not")
    func deadline() throws {
        let failure = #expect(throws: StoreError.self) {
            try connection.withBudget(nanoseconds: 60_000_000_000) {
                try connection.withBudget(deadline: monotonicNanoseconds() + 2_000_000) {
                    try connection.scalar(endless)
                }
            }
        }
        #expect(failure?.isDeadlineExceeded == true)
    }

    @Test("a longer budget inside a shorter one does not prolong it")
    func nestedBudget() throws {
        let failure = #expect(throws: StoreError.self) {
            try connection.withBudget(nanoseconds: 2_000_000) {
                try connection.withBudget(nanoseconds: 60_000_000_000) { try connection.scalar(endless) }
            }
        }
        #expect(failure?.isBudgetExceeded == true)
    }

    @Test("an interrupt from another thread stops the query and is told from a budget")
    func interrupt() throws {
        let handle = connection.interruptHandle()
        let isOver = Gate()
        onThread {
            while !isOver.wait(milliseconds: 5) { handle.interrupt() }
        }
        let failure = #expect(throws: StoreError.self) {
            try connection.withBudget(nanoseconds: 20_000_000_000) { try connection.scalar(endless) }
        }
        isOver.open()
        #expect(failure?.isInterrupted == true)
        #expect(failure?.isBudgetExceeded == false)
    }

    @Test("a function of our own can be called and can fail")
    func function() throws {
        try connection.createFunction("twice", argumentCount: 1) { arguments in
            guard case .text(let text) = arguments[0] else { throw Failure() }
            return .text(text + text)
        }
        #expect(try connection.scalar("SELECT twice('ab')") == "abab")
        #expect(throws: StoreError.self) { try connection.scalar("SELECT twice(1)") }
    }

    @Test("columns tell where they come from")
    func columnOrigins() throws {
        let statement = try connection.prepare("SELECT b AS c, 1 + 1 FROM t")
        defer { statement.finish() }
        #expect(statement.columnNames == ["c", "1 + 1"])
        #expect(statement.columnTableName(0) == "t")
        #expect(statement.columnOriginName(0) == "b")
        #expect(statement.columnDeclaredType(0) == "TEXT")
        #expect(statement.columnTableName(1) == nil)
    }

    @Test("data version changes when another connection commits")
    func dataVersion() throws {
        let other = try Connection(path: scratch.file("a.db"), access: .readWrite(create: false))
        let before = try other.dataVersion
        try connection.run("INSERT INTO t VALUES (1, 'x')")
        #expect(try other.dataVersion != before)
    }
}
