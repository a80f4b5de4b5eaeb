import Engine
import Store
import Testing

@Suite struct QueryRequestTests {
    let fixture: QueryFixture
    init() throws { fixture = try QueryFixture() }

    private func body(_ pairs: [(String, Value)], as id: String? = nil) throws -> RequestInfo {
        var request = try id.map { try fixture.request(as: $0) } ?? RequestInfo()
        request.body = pairs.map { (key: $0.0, value: $0.1) }
        return request
    }

    @Test(
        "the signed-in record and its relations",
        arguments: [
            ("author = @request.auth.id", "p1 p4", "p3"), ("@request.auth.id != ''", "p1 p2 p3 p4", ""),
            ("@request.auth.name = 'Ann'", "p1 p2 p3 p4", ""), ("@request.auth.team.title = 'open'", "p1 p2 p3 p4", ""),
            ("team = @request.auth.team", "p1", "p3"), ("tags:each ?= @request.auth.badges:each", "p1 p2 p4", "p3"),
            ("@request.auth.badges.label ?= 'blue'", "p1 p2 p3 p4", ""),
            ("@request.auth.collectionName = 'users'", "p1 p2 p3 p4", ""),
            ("@request.auth.verified = true", "p1 p2 p3 p4", ""),
            ("@request.auth.nope = ''", "p1 p2 p3 p4", "p1 p2 p3 p4"),
            ("@request.auth.posts_via_author.stars ?> 0", "p1 p2 p3 p4", ""),
            ("tags.label ?= @request.auth.badges.label", "p1 p2 p4", "p3"),
        ])
    func auth(_ rule: String, _ asAnn: String, _ asGuest: String) throws {
        #expect(try fixture.ids(rule: rule, as: fixture.request(as: "u1")) == asAnn)
        #expect(try fixture.ids(rule: rule) == asGuest)
    }

    @Test("query, headers, method and context")
    func parameters() throws {
        let request = RequestInfo(
            context: "realtime", method: "GET", query: ["q": "First", "n": "", "stars": "2"], headers: ["x_token": "t"])
        for (rule, ids) in [
            ("@request.query.q:lower = title", "p1"), ("@request.query.q = title", ""),
            ("title = @request.query.n", "p3"),
            ("title = @request.query.none", "p3"), ("@request.query.none:isset = true", ""),
            ("stars = @request.query.stars", "p2"),
            ("@request.query.q:isset = true && stars = 1", "p1"), ("@request.headers.x_token = 't' && stars = 1", "p1"),
            ("@request.context = 'realtime' && @request.method = 'GET' && stars = 1", "p1"),
            ("title ~ @request.query.q", "p1"), ("@request.query.q.deep = '' && stars = 1", "p1"),
        ] { #expect(try fixture.ids(rule: rule, as: request) == ids, "\(rule)") }
    }

    @Test("any record of another collection")
    func collection() throws {
        for (rule, ids) in [
            ("@collection.comments.post ?= id", "p1 p2"),
            ("@collection.comments.post ?= id && @collection.comments.score ?= 1", "p1"),
            ("@collection.comments:a.post ?= id && @collection.comments:b.score ?= 0", "p1 p2"),
            ("@collection.vault.note ?= 'n' && stars = 1", "p1"), ("@collection.COMMENTS.post ?= id", "p1 p2"),
            ("@collection.tags.label ?= 'red' && tags.label ?= 'blue'", "p1 p2"),
        ] { #expect(try fixture.ids(rule: rule) == ids, "\(rule)") }
    }

    @Test("the body: values, paths, changes, members, relations")
    func bodyValues() throws {
        let request = try body([
            ("title", .text("first")), ("stars", .text("1")), ("tags", .json("[\"t1\",\"t2\"]")),
            ("author", .text("u1")),
            ("extra", .json("{\"k\":[5,{\"x\":\"y\"}]}")), ("data", .json("{\"a\":1}")), ("nothing", .null),
            ("done", .bool(true)),
        ])
        for (rule, ids) in [
            ("@request.body.title = title", "p1"), ("@request.body.stars = stars", "p1"),
            ("@request.body.title:changed = true", "p2 p3 p4"),
            ("@request.body.kinds:changed = false && stars = 1", "p1"),
            ("@request.body.tags:length = 2 && stars = 1", "p1"),
            ("@request.body.tags:each ?= 't2' && stars = 1", "p1"),
            ("@request.body.tags:each = 't2'", ""), ("@request.body.tags:each ~ 't' && stars = 1", "p1"),
            ("@request.body.tags.label ?= 'red' && stars = 1", "p1"), ("@request.body.tags.label = 'red'", ""),
            ("@request.body.author.name = 'Ann' && stars = 1", "p1"),
            ("@request.body.team.title = '' && stars = 1", "p1"),
            ("@request.body.extra.k.0 = 5 && stars = 1", "p1"), ("@request.body.extra.k.1.x = 'y' && stars = 1", "p1"),
            ("@request.body.extra.k.7:isset = false && stars = 1", "p1"),
            ("@request.body.nothing:isset = true && stars = 1", "p1"),
            ("@request.body.nope:isset = true", ""), ("@request.body.data = '{\"a\":1}' && stars = 1", "p1"),
            ("@request.body.data.a = 1 && stars = 1", "p1"), ("@request.body.done = done", "p2 p4"),
            ("@request.body.title:lower ~ 'FIRST' && stars = 1", "p1"),
        ] { #expect(try fixture.ids(rule: rule, as: request) == ids, "\(rule)") }
        for rule in ["@request.body.title:each = 1", "@request.body.title:length = 1", "@request.body.nope:each = 1"] {
            #expect(throws: ServiceError.badRequest()) { try fixture.ids(rule: rule, as: request) }
        }
    }

    @Test("a JSON field that the body sets to null holds the document null")
    func nullDocument() throws {
        let request = try body([("data", .null), ("title", .null)])
        #expect(try fixture.ids(rule: "@request.body.data = 'null' && stars = 1", as: request) == "p1")
        #expect(try fixture.ids(rule: "@request.body.title = '' && stars = 1", as: request) == "p1")
    }

    @Test("a record that is about to be created is looked at as if it were stored")
    func create() throws {
        let request = try body(
            [
                ("id", .text("new")), ("title", .text("x")), ("author", .text("u1")), ("tags", .json("[\"t1\"]")),
                ("stars", .number(3)),
            ],
            as: "u1")
        for (rule, isAllowed) in [
            ("title = 'x'", true), ("title = 'y'", false), ("author = @request.auth.id", true),
            ("author.name = 'Ann'", true),
            ("tags.label = 'red'", true), ("tags:length = 1 && stars > 2", true),
            ("@request.body.tags.weight ?= 1", true),
            ("@collection.posts.title ?= 'first'", true), ("@collection.posts.id ?= id", false),
            ("parent.title = ''", true),
            ("@collection.users.name = 'Ann'", false),
        ] { #expect(try fixture.creates(rule, request) == isAllowed, "\(rule)") }
        #expect(throws: ServiceError.badRequest()) { try fixture.creates("comments_via_post.score = 1", request) }
    }

    @Test("one record, several, and whether one matches")
    func byID() throws {
        let request = try fixture.request(as: "u1")
        let posts = fixture.collection("posts")
        let one = try RecordQuery.one(
            posts, schema: fixture.schema, rule: "author = @request.auth.id", request: request, cache: fixture.cache)
        #expect(
            try fixture.connection.firstRow(one.sql, one.values(for: request, extra: ["p1"]))?.count
                == posts.fields.count)
        #expect(try fixture.connection.firstRow(one.sql, one.values(for: request, extra: ["p2"])) == nil)
        let many = try RecordQuery.many(
            posts, schema: fixture.schema, rule: "tags.label ?= 'red'", columns: .id, request: request,
            cache: fixture.cache)
        let rows = try fixture.connection.rows(
            many.sql, many.values(for: request, extra: ["[\"p1\",\"p2\",\"p4\",\"x\"]"]))
        #expect(rows.map { $0[0].textValue ?? "" }.sorted() == ["p1", "p4"])
        let matches = try RecordQuery.matches(
            posts, schema: fixture.schema, rule: nil, filter: "stars = 1", allowsHidden: false, request: request,
            cache: fixture.cache)
        #expect(try fixture.connection.firstRow(matches.sql, matches.values(for: request, extra: ["p1"])) == [1])
        #expect(try fixture.connection.firstRow(matches.sql, matches.values(for: request, extra: ["p2"])) == nil)
    }

    @Test("rules are checked without a request; a collection may name itself before it is saved")
    func validate() throws {
        let posts = fixture.collection("posts")
        for rule in [
            "title = 'x'", "@request.auth.anything = 1", "parent.title = 'x' && @collection.posts.title = 'y'",
        ] {
            #expect(throws: Never.self) {
                try RecordQuery.validate(rule: rule, of: posts, schema: Schema(collections: [], version: 1))
            }
        }
        for rule in ["nope = 1", "title = ", "title ? 1", "vault.nope = 1"] {
            #expect(throws: QueryError.self) { try RecordQuery.validate(rule: rule, of: posts, schema: fixture.schema) }
        }
    }
}
