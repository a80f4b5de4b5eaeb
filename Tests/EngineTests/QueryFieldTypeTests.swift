import Engine
import JSON
import Store
import Synchronization
import Testing

/// Fields of types that have a say in how they are compared.
@Suite struct QueryFieldTypeTests {
    /// Texts that are cast by writing them small, and compared by their length where `uses` says so.
    final class Small: FieldInstance, FieldQuery {
        let shape = FieldShape(column: "TEXT DEFAULT '' NOT NULL", form: .text, zero: .text(""))
        let queryID = FieldQueries.newID()
        let keyUses: FieldKeyUses
        let casts = true
        let counts = false
        let castCount = Mutex(0)
        let keyCount = Mutex(0)
        struct Senseless: Error {}

        init(_ uses: FieldKeyUses) { keyUses = uses }
        deinit { FieldQueries.remove(queryID) }

        var query: (any FieldQuery)? { self }
        func cast(_ value: Value) throws -> Value {
            castCount.withLock { $0 += 1 }
            guard case .text(let text) = value, text != "senseless" else { throw Senseless() }
            return .text(text.lowercased())
        }
        func key(of value: Value) -> Value {
            keyCount.withLock { $0 += 1 }
            guard case .text(let text) = value, !text.isEmpty else { return .null }
            return .number(Double(text.utf8.count))
        }
        func count(of value: Value) -> Int { 0 }

        func normalise(_ value: Value) -> Value { value }
        func modify(_ modifier: FieldModifier, current: Value, operand: Value) -> Value? { nil }
        func validate(_ value: Value, in context: FieldContext) -> FieldFailure? { nil }
        func intercept(_ moment: RecordMoments, in context: FieldContext) throws {}
    }

    let connection: Connection
    let schema: Schema
    let collection: Collection

    init() throws { try self.init([]) }

    private init(_ uses: FieldKeyUses) throws {
        connection = try Connection(path: ":memory:", access: .readWrite(create: true))
        try FieldQueries.addFunctions(to: connection)
        let field = Small(uses)
        FieldQueries.insert(field)
        collection = QueryFixture.collection(
            "words", .base, indexes: ["CREATE INDEX words_it ON words (it)"],
            [
                Field(id: "f_it", name: "it", typeID: "small", settings: [:], instance: field),
                QueryFixture.text("other"),
            ])
        schema = Schema(collections: [collection], version: 1)
        try connection.execute(
            """
            CREATE TABLE words (id TEXT PRIMARY KEY NOT NULL, it TEXT DEFAULT '' NOT NULL, other TEXT DEFAULT '' NOT NULL);
            CREATE INDEX words_it ON words (it);
            WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500)
            INSERT INTO words SELECT 'w' || i, 'word' || i, 'WORD' || (i / 2 * 2) FROM n;
            """)
    }

    private var field: Small {
        get throws { try #require(collection.fields.first { $0.name == "it" }?.instance as? Small) }
    }

    private func plan(_ filter: String, sort: String = "") throws -> SelectPlan {
        try RecordQuery.list(
            collection, schema: schema, rule: nil, filter: filter, sort: sort, allowsHidden: false,
            request: RequestInfo(), cache: PlanCache())
    }

    private func ids(_ filter: String, sort: String = "") throws -> [String] {
        let plan = try plan(filter, sort: sort)
        return try connection.rows(plan.sql, plan.values(for: RequestInfo(), extra: [.integer(1000), .integer(0)])).map
        {
            $0[0].textValue ?? ""
        }
    }

    @Test("what a field is compared with is cast once, and searched for in an index")
    func index() throws {
        #expect(try ids("it = 'WORD7'") == ["w7"])
        #expect(try field.castCount.withLock { $0 } == 1)
        let plan = try plan("it = 'WORD7'")
        let steps = try connection.rows(
            "EXPLAIN QUERY PLAN " + plan.sql, plan.values(for: RequestInfo(), extra: [.integer(10), .integer(0)]))
        #expect(steps.contains { $0[3].textValue?.contains("words_it (it=?)") == true }, "\(steps)")
        #expect(try ids("it > 'WORD98'") == ["w99"])
        #expect(try field.keyCount.withLock { $0 } == 0)
    }

    @Test("a column that it is compared with is cast for each row")
    func columns() throws {
        #expect(try ids("it = other").count == 250)
        #expect(try ids("other = it").count == 250)
        try connection.execute("UPDATE words SET other = 'senseless', it = '' WHERE id = 'w2'")
        #expect(try ids("it = other").count == 249)
        #expect(try !ids("it <= other").contains("w2"))
    }

    @Test("what makes no sense fails the statement, without SQL's words")
    func senseless() throws {
        #expect(throws: (any Error).self) { try ids("it = 'senseless'") }
        #expect(throws: (any Error).self) { try ids("it < 5") }
    }

    @Test("keys order, and make equal")
    func keys() throws {
        let ordering = try QueryFieldTypeTests(.order)
        #expect(try ordering.ids("it > 'word99'").count == 401)
        #expect(try ordering.ids("it = 'WORD99'") == ["w99"])
        #expect(try Set(ordering.ids("", sort: "it").prefix(9)) == Set((1...9).map { "w\($0)" }))
        try ordering.connection.execute("UPDATE words SET it = '' WHERE id = 'w9'")
        #expect(try ordering.ids("", sort: "it").first == "w9")
        #expect(try !ordering.ids("it < 'word99'").contains("w9"))
        let equal = try QueryFieldTypeTests(.all)
        #expect(try equal.ids("it = 'abcde'").count == 9)
        #expect(try equal.ids("it != 'abcde'").count == 491)
        #expect(try equal.ids("it = ''").isEmpty)
    }

    @Test("a plan keeps its fields, and a number that no field has is refused")
    func lifetime() throws {
        var other: QueryFieldTypeTests? = try QueryFieldTypeTests(.order)
        weak let instance = try other?.field
        let plan = try #require(try other?.plan("it > 'a'"))
        let connection = try #require(other?.connection)
        other = nil
        #expect(instance != nil)
        let rows = try connection.rows(plan.sql, plan.values(for: RequestInfo(), extra: [.integer(9), .integer(0)]))
        #expect(rows.count == 9)
        #expect(throws: (any Error).self) { try connection.rows("SELECT roost_field_key(0, 1, 'x')") }
        #expect(throws: (any Error).self) { try connection.rows("SELECT roost_field_key('x', NULL, 'x')") }
    }

    @Test("views and indexes cannot name the functions")
    func statementsOnly() throws {
        try connection.execute("CREATE VIEW seen AS SELECT roost_field_key(1, 1, it) FROM words")
        #expect(throws: (any Error).self) { try connection.rows("SELECT * FROM seen") }
        #expect(throws: (any Error).self) {
            try connection.execute("CREATE INDEX keys ON words (roost_field_key(1, 1, it))")
        }
    }
}
