import Engine
import Store
import Testing

@Suite struct QueryPlanTests {
    let fixture: QueryFixture
    init() throws { fixture = try QueryFixture() }

    private func counts(_ hits: UInt64, _ misses: UInt64, _ count: Int) -> PlanCache.Statistics {
        PlanCache.Statistics(hits: hits, misses: misses, count: count)
    }

    @Test("an owner rule is compiled once for all who are signed in, and once for guests")
    func lateBinding() throws {
        let rule = "author = @request.auth.id"
        #expect(try fixture.ids(rule: rule, as: fixture.request(as: "u1")) == "p1 p4")
        #expect(try fixture.ids(rule: rule, as: fixture.request(as: "u2")) == "p2")
        #expect(fixture.cache.statistics == counts(1, 1, 1))
        #expect(try fixture.ids(rule: rule) == "p3")
        #expect(try fixture.ids(rule: rule) == "p3")
        #expect(fixture.cache.statistics == counts(2, 2, 1))
    }

    @Test("filters that differ in their texts share a plan, and each gets its own rows")
    func literals() throws {
        #expect(try fixture.ids(filter: "title = 'first' && stars > 0") == "p1")
        #expect(try fixture.ids(filter: "title = '100% sure_' && stars > 1") == "p2")
        #expect(try fixture.ids(filter: "title = '' && stars > -1") == "p3")
        #expect(fixture.cache.statistics == counts(1, 2, 2))
    }

    @Test("a plan made for one request is not used for another that it does not fit")
    func guards() throws {
        var request = RequestInfo(query: ["q": "first"])
        let rule = "title = @request.query.q || @request.query.q:isset = false"
        #expect(try fixture.ids(rule: rule, as: request) == "p1")
        request.query = ["q": ""]
        #expect(try fixture.ids(rule: rule, as: request) == "p3")
        request.query = [:]
        #expect(try fixture.ids(rule: rule, as: request) == "p1 p2 p3 p4")
        request.body = [("tags", .json("[\"t1\"]"))]
        let count = "@request.body.tags:length = 2"
        #expect(try fixture.ids(rule: count, as: request) == "")
        request.body = [("tags", .json("[\"t1\",\"t2\"]"))]
        #expect(try fixture.ids(rule: count, as: request) == "p1 p2 p3 p4")
    }

    @Test("another version of the schema makes another plan")
    func version() throws {
        _ = try fixture.plan(filter: "title = 'x'")
        let newer = Schema(collections: QueryFixture.collections, version: 2)
        _ = try RecordQuery.list(
            fixture.collection("posts"), schema: newer, rule: nil, filter: "title = 'x'", allowsHidden: false,
            request: RequestInfo(), cache: fixture.cache)
        #expect(fixture.cache.statistics.misses == 2)
    }

    @Test("the cache is bounded")
    func bounded() throws {
        let cache = PlanCache(capacity: 10)
        for number in 0..<100 {
            _ = try RecordQuery.list(
                fixture.collection("posts"), schema: fixture.schema, rule: "stars = \(number)", allowsHidden: false,
                request: RequestInfo(), cache: cache)
        }
        #expect(cache.statistics.count <= 10)
        cache.removeAll()
        #expect(cache.statistics.count == 0)
    }

    @Test("a relation compared by id is not joined, a single one is joined without DISTINCT, many become EXISTS")
    func joins() throws {
        func sql(_ filter: String) throws -> String { try fixture.plan(filter: filter).sql }
        #expect(try !sql("author = 'u1'").contains("JOIN"))
        #expect(try !sql("author.id = 'u1'").contains("JOIN"))
        let single = try sql("author.name = 'x' && author.id != '' && author.verified = true")
        #expect(single.components(of: "JOIN") == 1)
        #expect(!single.contains("DISTINCT"))
        let many = try sql("tags.label ?= 'a' && tags.weight ?= 1 && comments_via_post.score ?= 1")
        #expect(!many.contains("DISTINCT"))
        #expect(many.components(of: "EXISTS") == 2)
    }

    @Test("the count joins nothing that only the sort needs")
    func count() throws {
        let plan = try fixture.plan(filter: "stars > 0", sort: "author.name")
        #expect(plan.sql.contains("JOIN"))
        #expect(plan.countSQL == "SELECT COUNT(*) FROM \"posts\" \"@0\" WHERE \"@0\".\"stars\" > ?")
    }

    @Test("an equality of a column and a value can use an index")
    func index() throws {
        try fixture.connection.execute(
            "CREATE INDEX posts_author ON posts (author); CREATE INDEX comments_post ON comments (post)")
        let request = try fixture.request(as: "u1")
        for rule in [
            "author = @request.auth.id", "comments_via_post.score ?= 5 && author = 'u1'",
            "@collection.comments.post ?= id && author = 'u1'",
        ] {
            let plan = try fixture.plan(rule: rule, as: request)
            let steps = try fixture.connection.rows(
                "EXPLAIN QUERY PLAN " + plan.sql, plan.values(for: request, extra: [1, 0]))
            let text = steps.map { $0.last?.textValue ?? "" }.joined(separator: "\n")
            #expect(text.contains("posts_author"), "\(text)")
            #expect(!text.contains("SCAN @"), "\(text)")
        }
    }

    @Test("a page for which all matches are sorted has the same records, and counts the matches", arguments: [nil, 10])
    func sortedPage(_ rows: Int?) throws {
        var fixture = self.fixture
        fixture.rows = rows
        let user = try fixture.request(as: "u1")
        for (filter, sort) in [
            ("stars < 2", "title"), ("author.name != 'Bob'", "-stars"), ("tags.label ?~ 'e'", "author.name,id"),
            ("comments_via_post.score ?>= 1 || title ~ 's'", "-done,id"), ("stars > 99", "stars"),
            ("kinds:each ?= 'a'", "-title"),
        ] {
            let page = try fixture.plan(filter: filter, sort: sort, as: user).page(isCounted: true)
            let plan = try fixture.plan(filter: filter, sort: sort, as: user)
            let sorted = try #require(page.sortedSQL)
            let all = try fixture.connection.rows(page.sql, plan.values(page.parameters, for: user, extra: [100, 0]))
            for offset in 0..<3 {
                let extra: [SQLValue] = [2, .integer(Int64(offset))]
                fixture.connection.counted = 0
                let rows = try fixture.connection.rows(sorted, plan.values(page.parameters, for: user, extra: extra))
                #expect(rows.map { $0.dropLast() } == all.dropFirst(offset).prefix(2).map { $0[...] }, "\(filter)")
                #expect(fixture.connection.counted == all.count, "\(filter)")
                // The numbers of the rows lead to the same records again.
                let numbers = rows.compactMap { $0.last?.intValue }.map { "\($0)" }.joined(separator: ",")
                let again = try fixture.connection.rows(try #require(plan.rowsSQL), [.text("[\(numbers)]")])
                #expect(again.map { $0[...] } == rows.map { $0.dropLast() }, "\(filter)")
            }
        }
        // Nothing to count, nothing to sort, a row that is not one of a table.
        #expect(try fixture.plan(sort: "title").sortedSQL?.contains("counted") == false)
        #expect(try fixture.plan(filter: "stars > 1").sortedSQL == nil)
        #expect(try fixture.plan("titles", filter: "title != 'x'", sort: "title").sortedSQL == nil)
        #expect(try fixture.plan(filter: "stars > 1", sort: "tags.label").sortedSQL == nil)
    }

    @Test("what is found is kept only where time and chance have no part in it")
    func steady() throws {
        let user = try fixture.request(as: "u1")
        for (filter, sort, isSteady) in [
            ("stars > 1", "-title", true), ("author.name ~ 'a'", "", true), ("title < @todayStart", "", true),
            ("title < @now", "", false), ("title > @yesterday", "", false), ("stars = @second", "", false),
            ("stars > 1", "@random", false), ("strftime('%Y', title) = '2026'", "", false),
        ] {
            #expect(try fixture.plan(filter: filter, sort: sort, as: user).isSteady == isSteady, "\(filter) \(sort)")
        }
        #expect(try fixture.plan(rule: "@request.auth.id != '' && title < @tomorrow", as: user).isSteady == false)
    }

    @Test("a text is looked for by the quick function, but where an index without case may serve a pattern")
    func patterns() throws {
        #expect(try fixture.plan(filter: "title ~ 'a'").sql.contains("roost_like"))
        #expect(try fixture.plan("covers", filter: "url ~ 'a%'").sql.contains("LIKE ? ESCAPE"))
        #expect(try fixture.ids("covers", filter: "url ~ '/1'") == "w1")
        #expect(try fixture.ids("covers", filter: "url !~ '/1'") == "w2")
    }

    @Test("members that are not plain texts are compared too")
    func oddMembers() throws {
        var fixture = self.fixture
        try fixture.connection.execute(
            """
            UPDATE posts SET kinds = '["\\u0061"]' WHERE id = 'p1'; UPDATE posts SET kinds = 'a' WHERE id = 'p2';
            UPDATE posts SET kinds = '["a",1]' WHERE id = 'p3'
            """)
        for rows in [nil, 10] {
            fixture.rows = rows
            #expect(try fixture.ids(filter: "kinds:each ?= 'a'") == "p1 p2 p3 p4")
            #expect(try fixture.ids(filter: "kinds:each = 'a'") == "p1 p2")
            #expect(try fixture.ids(filter: "kinds:each ?= 1") == "p3")
            #expect(try fixture.ids(filter: "kinds:each != 'a'") == "")
        }
    }
}

extension String {
    /// How often a word stands in it.
    fileprivate func components(of word: String) -> Int {
        var count = 0
        var rest = self[...]
        while !rest.isEmpty {
            if rest.hasPrefix(word) { count += 1 }
            rest.removeFirst()
        }
        return count
    }
}
