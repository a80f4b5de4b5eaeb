import Engine
import Store
import Testing

/// Random filters, rules and sorts from a fixed seed: nothing may crash, and whatever is accepted must be SQL.
@Suite struct QueryFuzzTests {
    /// SplitMix64.
    struct Random: RandomNumberGenerator {
        var state: UInt64
        mutating func next() -> UInt64 {
            state &+= 0x9E37_79B9_7F4A_7C15
            var z = state
            z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
            z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
            return z ^ (z >> 31)
        }
    }

    static let names = [
        "id", "title", "stars", "done", "data", "data.a.b.0", "at.lon", "hid", "author", "author.id", "author.name",
        "author.email", "author.badges.label", "author.badges:each", "tags", "tags.id", "tags.label", "tags:each",
        "tags:length", "tags.label:lower", "kinds", "kinds:each", "parent.parent.tags.label", "comments_via_post.score",
        "covers_via_post.url", "posts_via_parent.kinds:each", "team.title", "vault.note", "nope", "null", "true",
        "@now",
        "@year", "@collection.tags.label", "@collection.posts:x.tags.label", "@request.auth.id", "@request.auth.name",
        "@request.auth.badges.label", "@request.query.q", "@request.query.q:isset", "@request.body.title:changed",
        "@request.body.tags:each", "@request.body.tags.label", "@request.body.data.x", "@request.body.tags:length",
        "@request.method", "strftime('%Y', title)", "geoDistance(at.lon, at.lat, 1, 2)",
        "strftime('%Y', tags.label, 'utc')",
    ]
    static let literals = ["''", "'a'", "\"%\"", "'it\\'s'", "0", "1", "-2.5", "'\\\\'", "'_'", "'😀'"]
    static let signs = ["=", "!=", "~", "!~", "<", "<=", ">", ">="]

    private func filter(_ random: inout Random, depth: Int = 0) -> String {
        var text = ""
        for position in 0..<Int.random(in: 1...4, using: &random) {
            if position > 0 { text += Bool.random(using: &random) ? " && " : "||" }
            if depth < 4, Int.random(in: 0..<4, using: &random) == 0 {
                text += "(" + filter(&random, depth: depth + 1) + ")"
                continue
            }
            func operand() -> String {
                (Int.random(in: 0..<3, using: &random) == 0 ? Self.literals : Self.names).randomElement(using: &random)
                    ?? "id"
            }
            let left = operand()
            let any = Bool.random(using: &random) ? "?" : ""
            text += left + any + (Self.signs.randomElement(using: &random) ?? "=") + operand()
        }
        return text
    }

    /// Changes some bytes of a text.
    private func damage(_ text: String, _ random: inout Random) -> String {
        var bytes = Array(text.utf8)
        let alphabet = Array("()'\"\\/&|=!~<>?.,:@#_-019aZ \n\t\u{0}%ü".utf8)
        for _ in 0..<Int.random(in: 1...4, using: &random) where !bytes.isEmpty {
            let position = Int.random(in: 0..<bytes.count, using: &random)
            let byte = alphabet.randomElement(using: &random) ?? 0
            switch Int.random(in: 0..<4, using: &random) {
            case 0: bytes.remove(at: position)
            case 1: bytes.insert(byte, at: position)
            case 2: bytes[position] = byte
            default: bytes.insert(contentsOf: bytes[position...].prefix(20), at: position)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    @Test("accepted filters and sorts prepare and run", arguments: [1, 2, 3] as [UInt64])
    func compiles(_ seed: UInt64) throws {
        var fixture = try QueryFixture()
        var random = Random(state: seed)
        var member = try fixture.request(as: "u1")
        member.query = ["q": "x"]
        member.body = [("title", .text("t")), ("tags", .json("[\"t1\",\"t2\"]")), ("data", .json("{\"x\":1}"))]
        var accepted = 0
        for round in 0..<150 {
            var text = filter(&random)
            if round % 4 == 0 { text = damage(text, &random) }
            let sort = round % 3 == 0 ? Self.names.randomElement(using: &random) ?? "" : ""
            for request in [RequestInfo(), member, fixture.superuser()] {
                // With joins, and by way of sets.
                fixture.rows = round % 5 == 0 ? nil : 10
                let isRule = round % 2 == 0
                guard
                    let plan = try? fixture.plan(
                        rule: isRule ? text : nil, filter: isRule ? "" : text, sort: sort, as: request)
                else { continue }
                accepted += 1
                let statement = try fixture.connection.prepare(plan.sql)
                #expect(statement.columnCount == fixture.collection("posts").fields.count)
                statement.finish()
                let rows = try fixture.connection.rows(plan.sql, plan.values(for: request, extra: [100, 0]))
                let count = try fixture.connection.scalar(plan.countSQL ?? "", plan.countValues(for: request))
                #expect(count == .integer(Int64(rows.count)), "\(text)")
                let page = plan.page(isCounted: true)
                let values = plan.values(page.parameters, for: request, extra: [100, 0])
                #expect(try fixture.connection.rows(page.sql, values).count == rows.count, "\(text)")
                if let sorted = page.sortedSQL {
                    // Whatever SQLite does without it: the counter sees each match once.
                    fixture.connection.counted = 0
                    #expect(try fixture.connection.rows(sorted, values).count == rows.count, "\(text)")
                    if plan.hasConditions { #expect(fixture.connection.counted == rows.count, "\(text)") }
                }
                if isRule { _ = try? fixture.creates(text, request) }
            }
        }
        #expect(accepted > 100)
    }

    @Test("damaged text never crashes lexer and parser")
    func text() throws {
        var random = Random(state: 4)
        var accepted = 0
        for _ in 0..<4000 {
            let text = damage(filter(&random), &random)
            if let expression = try? FilterExpression(parsing: text) {
                accepted += 1
                _ = expression.template()
            }
            _ = try? SortExpression(parsing: text)
        }
        #expect(accepted > 200)
    }

    @Test("bytes without any sense never crash lexer and parser")
    func noise() {
        var random = Random(state: 5)
        let alphabet = Array("((('\"\\/&|=!~<>?.,:@a1 \n\u{0}".utf8)
        for _ in 0..<4000 {
            let bytes = (0..<Int.random(in: 0...60, using: &random)).map { _ in
                alphabet.randomElement(using: &random) ?? 0
            }
            _ = try? FilterExpression(parsing: String(decoding: bytes, as: UTF8.self))
        }
    }
}
