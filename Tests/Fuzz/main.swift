import Engine
import Store

/// Feeds libFuzzer's texts to the lexer, the parser and the compiler of queries. What is accepted must be SQL.
///
/// The first byte of an input says what the rest is taken for: a filter, a rule or a sort, of whom, whether the tables'
/// sizes are known, and whether the bytes are a text or each the number of a word. Built and run by scripts/fuzz alone.
struct QueryFuzzer {
    var fixture: QueryFixture
    var requests: [RequestInfo]

    init() throws {
        fixture = try QueryFixture()
        var member = try fixture.request(as: "u1")
        member.query = ["q": "x"]
        member.headers = ["x_key": "y"]
        member.body = [("title", .text("t")), ("tags", .json("[\"t1\",\"t2\"]")), ("data", .json("{\"x\":1}"))]
        requests = [RequestInfo(), member, fixture.superuser()]
    }

    mutating func run(_ bytes: UnsafeBufferPointer<UInt8>) {
        guard let first = bytes.first else { return }
        let rest = bytes.dropFirst()
        let text = first & 0x80 == 0 ? String(decoding: rest, as: UTF8.self) : Self.expression(Array(rest))
        let request = requests[Int(first) % requests.count]
        fixture.rows = first & 0x10 == 0 ? nil : 10
        let isRule = first & 0x20 == 0
        let isSort = first & 0x40 != 0
        if let expression = try? FilterExpression(parsing: text) { _ = expression.template() }
        if isSort {
            check(try? fixture.plan(filter: "title ~ 'a'", sort: text, as: request), request)
        } else if isRule {
            check(try? fixture.plan(rule: text, sort: "title", as: request), request)
            checkRule(text, request)
        } else {
            check(try? fixture.plan(filter: text, sort: "-stars", as: request), request)
            check(try? fixture.plan("titles", filter: text, as: request), request)
        }
    }

    private static let names = [
        "id", "title", "stars", "done", "data", "data.a.b.0", "at.lon", "hid", "author", "author.id", "author.name",
        "author.email", "author.badges.label", "author.badges:each", "author.team.title:lower", "tags", "tags.id",
        "tags.label", "tags:each", "tags:length", "tags.label:lower", "kinds", "kinds:each", "kinds:length",
        "parent.parent.tags.label", "comments_via_post.score", "covers_via_post.url", "posts_via_parent.kinds:each",
        "posts_via_parent.data.a", "team.title", "vault.note", "null", "true", "@now", "@year",
        "@collection.tags.label", "@collection.posts:x.tags.label", "@collection.users:y.email", "@request.auth.id",
        "@request.auth.name", "@request.auth.badges.label", "@request.query.q", "@request.query.q:isset",
        "@request.headers.x_key:lower", "@request.body.title:changed", "@request.body.tags:each",
        "@request.body.tags.label", "@request.body.data.x", "@request.body.tags:length", "@request.method",
        "strftime('%Y', title)", "strftime('%Y', tags.label, 'utc')", "geoDistance(at.lon, at.lat, 1, 2)",
        "geoDistance(posts_via_parent.at.lon, 0, 1, 2)", "''", "'a'", "\"%\"", "'it\\'s'", "'a%_\\\\'", "0", "1",
        "-2.5",
    ]
    private static let signs = ["=", "!=", "~", "!~", "<", "<=", ">", ">="]

    /// An expression made of decisions, most of them good ones, so that the compiler has its part.
    private static func expression(_ decisions: [UInt8]) -> String {
        var text = ""
        var depth = 0
        for start in stride(from: 0, to: decisions.count, by: 4) {
            func decision(_ offset: Int) -> Int {
                start + offset < decisions.count ? Int(decisions[start + offset]) : 0
            }
            let joint = decision(0)
            if start > 0 {
                while depth > 0, joint & 0x30 == 0x10 {
                    text += ")"
                    depth -= 1
                    if joint & 0x40 == 0 { break }
                }
                text += joint & 1 == 0 ? " && " : " || "
            }
            if joint & 0x0C == 0x0C {
                text += "("
                depth += 1
            }
            let sign = decision(2)
            text += names[decision(1) % names.count] + (sign & 8 == 0 ? "" : "?") + signs[sign & 7]
            text += names[decision(3) % names.count]
        }
        return text + String(repeating: ")", count: depth)
    }

    /// A rule for one record, for some, for a changed one and for a new one.
    private func checkRule(_ rule: String, _ request: RequestInfo) {
        let posts = fixture.collection("posts")
        try? RecordQuery.validate(rule: rule, of: posts, schema: fixture.schema)
        let plans = [
            try? RecordQuery.one(posts, schema: fixture.schema, rule: rule, request: request, cache: fixture.cache),
            try? RecordQuery.many(posts, schema: fixture.schema, rule: rule, request: request, cache: fixture.cache),
            try? RecordQuery.matches(posts, schema: fixture.schema, rule: rule, request: request, cache: fixture.cache),
            try? RecordQuery.createCheck(
                posts, schema: fixture.schema, rule: rule, request: request, cache: fixture.cache),
        ]
        for plan in plans { check(plan, request) }
    }

    private func check(_ plan: SelectPlan?, _ request: RequestInfo) {
        guard let plan else { return }
        let page = plan.page(isCounted: true)
        for sql in [plan.sql, plan.sortedSQL, page.sql, page.sortedSQL, plan.countSQL] {
            guard let sql else { continue }
            do {
                let statement = try fixture.connection.prepare(sql)
                defer { statement.finish() }
                let count = plan.countSQL == sql ? plan.countParameters.count : plan.parameters.count
                if sql != page.sql, sql != page.sortedSQL, statement.parameterCount != count {
                    fatalError("\(statement.parameterCount) parameters instead of \(count): \(sql)")
                }
                try run(plan, statement, request)
            } catch {
                // More joins than SQLite takes are a refusal, and data may be no JSON. The sorted page is deeper than the plain
                // one, which is taken in its stead.
                let isDeep = "\(error)".contains("parser stack overflow") && sql == page.sortedSQL
                guard !isDeep, !isTolerable(error) else { continue }
                fatalError("\(error)")
            }
        }
    }

    /// Runs a statement for a moment: paths through many rows may take for ever, which a server's deadline ends.
    private func run(_ plan: SelectPlan, _ statement: Statement, _ request: RequestInfo) throws {
        try fixture.connection.withBudget(nanoseconds: 2_000_000) {
            let isCount = statement.sql == plan.countSQL
            let values = isCount ? plan.countValues(for: request) : plan.values(for: request, extra: ["p1", 0])
            guard values.count == statement.parameterCount else { return }
            try statement.bind(values)
            while try statement.step() {}
        }
    }

    private func isTolerable(_ error: any Error) -> Bool {
        guard let error = error as? StoreError else { return false }
        if error.kind == .budgetExceeded { return true }
        let told = "\(error)"
        return ["at most 64 tables", "malformed JSON", "datatype mismatch", "pattern too complex"].contains {
            told.contains($0)
        }
    }
}

nonisolated(unsafe) private var fuzzer: QueryFuzzer? = nil

/// Of libFuzzer (llvm.org/docs/LibFuzzer.html), "Using libFuzzer as a library".
@_silgen_name("LLVMFuzzerRunDriver")
private func runDriver(
    _ count: UnsafeMutablePointer<Int32>,
    _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>>,
    _ body: @convention(c) (UnsafePointer<UInt8>?, Int) -> Int32
) -> Int32

fuzzer = try QueryFuzzer()
var count = CommandLine.argc
var arguments = CommandLine.unsafeArgv
_ = runDriver(&count, &arguments) { bytes, size in
    fuzzer?.run(UnsafeBufferPointer(start: bytes, count: size))
    return 0
}
