import Store
import Testing

/// The SQL functions that stand for slower SQL: they must say what it says.
@Suite("Functions of queries")
struct QueryFunctionTests {
    private let connection: Connection

    init() throws { connection = try Connection(path: ":memory:", access: .readWrite(create: true)) }

    private func text(_ parts: [String], _ count: Int, _ random: inout some RandomNumberGenerator) -> String {
        (0..<Int.random(in: 0...count, using: &random)).map { _ in parts.randomElement(using: &random) ?? "" }.joined()
    }

    @Test("roost_like is LIKE with a backslash to escape")
    func like() throws {
        var random = SystemRandomNumberGenerator()
        let letters = ["a", "A", "b", "B", "z", "@", "[", "é", "É", "\u{0}"]
        var matches = 0
        for round in 0..<4000 {
            let value = text(letters, round % 3 == 0 ? 60 : 12, &random)
            var pattern = text(letters + ["a", "b", "_", "\\", "%", "\\%", "\\_", "\\\\"], 4, &random)
            if round % 5 > 0 { pattern = "%" + pattern + "%" }
            let expected = try connection.scalar("SELECT ?1 LIKE ?2 ESCAPE '\\'", [.text(value), .text(pattern)])
            #expect(
                try connection.scalar("SELECT roost_like(?1, ?2)", [.text(value), .text(pattern)]) == expected,
                "\(value.debugDescription) \(pattern)")
            if expected == 1 { matches += 1 }
        }
        #expect(matches > 200 && matches < 3800)
    }

    @Test("roost_like takes whatever is no text as LIKE does")
    func likeOfOthers() throws {
        let values: [SQLValue] = [.null, 12, .real(1.5), .blob([97]), "a", "12", ""]
        for value in values {
            for pattern in values + ["%", "%%", "%1%", "%a%"] {
                let expected = try connection.scalar("SELECT ?1 LIKE ?2 ESCAPE '\\'", [value, pattern])
                #expect(
                    try connection.scalar("SELECT roost_like(?1, ?2)", [value, pattern]) == expected,
                    "\(value) \(pattern)")
            }
        }
        let long = SQLValue.text(String(repeating: "a", count: 50_001))
        #expect(throws: StoreError.self) { try connection.scalar("SELECT 'a' LIKE ?1 ESCAPE '\\'", [long]) }
        #expect(throws: StoreError.self) { try connection.scalar("SELECT roost_like('a', ?1)", [long]) }
    }

    @Test("a pattern that is another for each row is not remembered")
    func patternOfRow() throws {
        try connection.execute(
            "CREATE TABLE t (a, b); INSERT INTO t VALUES ('xay', '%a%'), ('xay', '%b%'), ('b', '%b%')")
        #expect(try connection.rows("SELECT roost_like(a, b) FROM t") == [[1], [0], [1]])
    }

    @Test("roost_members says of arrays of plain texts what json_each says, and nothing of others")
    func members() throws {
        var random = SystemRandomNumberGenerator()
        let parts = ["\"a\"", "\"a\"", "\"b\"", "\"\"", "\"\\u0061\"", "1", "null", "[\"a\"]", "\"é\"", "a"]
        var known = 0
        for _ in 0..<2000 {
            let members = (0..<Int.random(in: 0...3, using: &random)).map { _ in
                parts.randomElement(using: &random) ?? ""
            }
            let list = "[" + members.joined(separator: Bool.random(using: &random) ? "," : ", ") + "]"
            let value = SQLValue.text(["a", "", "é"].randomElement(using: &random) ?? "")
            let found = try connection.scalar("SELECT roost_members(?1, ?2)", [.text(list), value])
            guard found != .null else { continue }
            known += 1
            let same = try connection.scalar(
                "SELECT EXISTS (SELECT 1 FROM json_each(?1) WHERE value = ?2)", [.text(list), value])
            let other = try connection.scalar(
                "SELECT EXISTS (SELECT 1 FROM json_each(?1) WHERE NOT (value = ?2))", [.text(list), value])
            let expected = (same?.intValue ?? 0) + 2 * (other?.intValue ?? 0)
            #expect(found == .integer(expected), "\(list) \(value)")
        }
        #expect(known > 200)
        for list in [
            "", "a", "[", "]", "[]x", "[\"a\"", "[\"a\",]", "[,]", "[\"a\" \"b\"]", "[\"a", "\"a\"", "{}", "[\"\n\"]",
        ] {
            #expect(try connection.scalar("SELECT roost_members(?1, 'a')", [.text(list)]) == .null, "\(list)")
        }
        #expect(
            try connection.rows("SELECT roost_members(NULL, 'a'), roost_members('[\"1\"]', 1)") == [[.null, .null]])
    }

    private static let slowEach =
        "json_each(CASE WHEN iif(json_valid(?1), json_type(?1) = 'array', FALSE) THEN ?1 ELSE json_array(?1) END)"

    @Test("roost_each gives the members that json_each gives, and what is no array as it is")
    func each() throws {
        var random = SystemRandomNumberGenerator()
        let parts = [
            "\"a\"", "\"b c\"", "\"\"", "\"\\u0061\"", "\"\\n\"", "1", "2.5", "null", "true", "[\"a\"]", "{\"a\":1}",
            "\"é\"", "a", "\"\u{1}\"", "\"\u{0}\"",
        ]
        func compare(_ value: SQLValue) throws -> [SQLValue] {
            let expected = try connection.rows(
                "SELECT value, typeof(value) FROM \(Self.slowEach)", [value])
            let found = try connection.rows("SELECT value, typeof(value) FROM roost_each(?1)", [value])
            #expect(found == expected, "\(value)")
            return found.compactMap(\.first)
        }
        var members = 0
        for round in 0..<3000 {
            // Half of the lists are of plain texts alone.
            let choice = round % 2 == 0 ? Array(parts.prefix(3)) : parts
            let list = (0..<Int.random(in: 0...5, using: &random)).map { _ in
                choice.randomElement(using: &random) ?? ""
            }
            let separator = [",", ", ", " ,\n"].randomElement(using: &random) ?? ","
            let open = ["[", "[", "[ ", " ["].randomElement(using: &random) ?? "["
            let close = ["]", "]", " ]", "] ", ""].randomElement(using: &random) ?? "]"
            members += try compare(.text(open + list.joined(separator: separator) + close)).count
        }
        #expect(members > 3000)
        let long = "[" + (0..<200).map { "\"member \($0)\"" }.joined(separator: ",") + "]"
        for value: SQLValue in [
            .null, 12, .real(1.5), .real(-0.0), "", " ", "a", "\"a\"", "12", "null", "[", "]", "[]", "[]x", "[\"a\"",
            "[\"a\",]",
            "[,]", "[\"]", "[\"a\" \"b\"]", "{}", "{\"a\":1}", "a\u{0}b", "a\nb", .text(long), .text(long + "x"),
            .text(String(repeating: "x", count: 5000)),
        ] { _ = try compare(value) }
        for sql in ["SELECT * FROM \(Self.slowEach)", "SELECT * FROM roost_each(?1)"] {
            #expect(throws: StoreError.self) { try connection.rows(sql, [.blob([1, 2])]) }
        }
    }

    @Test("roost_each inside itself, left in the middle, and without a list")
    func eachInQueries() throws {
        try connection.execute(
            """
            CREATE TABLE t (a, b);
            INSERT INTO t VALUES (1, '["x","y"]'), (2, '["\\u0079", "z"]'), (3, '[1,["x"]]'), (4, ''), (5, NULL), (6, 'x');
            """)
        let mixed = #"[["\u0061",1],["b",2]]"#
        #expect(
            try connection.rows(
                "SELECT o.value, i.value FROM roost_each(?1) o, roost_each(o.value) i", [.text(mixed)])
                == [
                    [#"["\u0061",1]"#, "a"], [#"["\u0061",1]"#, 1], [#"["b",2]"#, "b"], [#"["b",2]"#, 2],
                ])
        let exists = "SELECT a FROM t WHERE EXISTS (SELECT 1 FROM roost_each(b) WHERE value = ?1) ORDER BY a"
        #expect(try connection.rows(exists, ["x"]) == [[1], [6]])
        #expect(try connection.rows(exists, ["y"]) == [[1], [2]])
        #expect(try connection.rows(exists, [""]) == [[4]])
        #expect(
            try connection.rows("SELECT a, e.value FROM t LEFT JOIN roost_each(b) e ON e.value = 'y' ORDER BY a")
                == [[1, "y"], [2, "y"], [3, .null], [4, .null], [5, .null], [6, .null]])
        #expect(try connection.rows("SELECT value FROM roost_each") == [])
        #expect(try connection.scalar("SELECT COUNT(*) FROM t WHERE a IN (SELECT value FROM roost_each('[1]'))") == 1)
        // A statement that is left before its end gives the slow one back.
        for _ in 0..<3 {
            #expect(try connection.rows("SELECT value FROM roost_each('[1,2,3]') LIMIT 1") == [[1]])
        }
    }

    @Test("pages that are read from row to row hold the same rows")
    func scanning() throws {
        try connection.execute(
            """
            CREATE TABLE t (a, b);
            WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000)
            INSERT INTO t SELECT i, printf('row %d of %s', i, hex(zeroblob(i % 40))) FROM n;
            """)
        for size in [512, 4096, 65536] {
            try connection.execute("PRAGMA page_size = \(size); VACUUM;")
            #expect(try connection.scalar("SELECT COUNT(*) FROM t WHERE roost_like(b, '%row 4_1 of%')") == 10)
            #expect(try connection.scalar("SELECT COUNT(*) FROM t WHERE roost_like(b, '%w 49%')") == 11)
        }
    }

    @Test("a scan of more pages than the cache takes leaves the first ones in it")
    func longScan() throws {
        let scratch = try Scratch()
        var configuration = Connection.Configuration()
        configuration.cacheKiB = 400
        let connection = try Connection(
            path: scratch.file("a.db"), access: .readWrite(create: true), configuration: configuration)
        defer { connection.close() }
        try connection.execute(
            """
            CREATE TABLE t (a);
            WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 4000)
            INSERT INTO t SELECT printf('row %d of %s', i, hex(zeroblob(150))) FROM n;
            """)
        let pages = try #require(try connection.scalar("PRAGMA page_count")?.intValue)
        #expect(pages > 300)
        var missed: [Int] = []
        for _ in 0..<4 {
            let before = connection.missedPages
            #expect(try connection.scalar("SELECT COUNT(*) FROM t WHERE roost_like(a, '%row 4_1 of%')") == 10)
            missed.append(connection.missedPages - before)
        }
        // A cache that gives up what was used longest ago would find nothing of it.
        #expect(missed[3] < Int(pages) - 50 && missed[3] > Int(pages) - 100)
        // What fits is found.
        try connection.execute("DELETE FROM t WHERE rowid > 500; VACUUM")
        _ = try connection.scalar("SELECT COUNT(*) FROM t WHERE roost_like(a, '%x%')")
        let before = connection.missedPages
        _ = try connection.scalar("SELECT COUNT(*) FROM t WHERE roost_like(a, '%x%')")
        #expect(connection.missedPages == before)
    }

    @Test("a query that sorts all its rows is told from one that an index sorts")
    func sorting() throws {
        try connection.execute("CREATE TABLE t (a, b); CREATE INDEX i ON t (a)")
        func sorts(_ sql: String, _ alternative: String = "SELECT 1") throws -> Bool {
            try connection.sortsAllRows(sql, insteadOf: alternative)
        }
        #expect(try sorts("SELECT * FROM t WHERE a = ? ORDER BY b LIMIT 3"))
        #expect(try !sorts("SELECT * FROM t WHERE b = ? ORDER BY a LIMIT 3"))
        #expect(try !sorts("SELECT a FROM t INDEXED BY i ORDER BY a, b LIMIT 3"))
        #expect(try !sorts("SELECT * FROM t WHERE b = ?"))
        #expect(throws: StoreError.self) { try sorts("SELECT nothing") }
        #expect(try !sorts("SELECT * FROM t ORDER BY b", "SELECT nothing"))
    }
}
