import Engine
import Store
import Testing

@Suite struct QueryFilterTests {
    let fixture: QueryFixture
    init() throws { fixture = try QueryFixture() }

    @Test(
        "comparisons of plain fields",
        arguments: [
            ("title = 'first'", "p1"), ("title != 'first'", "p2 p3 p4"), ("title = ''", "p3"), ("title = null", "p3"),
            ("title != null", "p1 p2 p4"), ("stars > 1", "p2"), ("stars >= 1", "p1 p2"), ("stars < 0", "p4"),
            ("stars <= 0", "p3 p4"), ("stars = -3.5", "p4"), ("done = true", "p2 p4"), ("done = false", "p1 p3"),
            ("TRUE = done", "p2 p4"), ("stars = '2'", "p2"), ("1 = 1", "p1 p2 p3 p4"), ("'a' = 'b'", ""),
            ("null = ''", "p1 p2 p3 p4"), ("'' != null", ""), ("title = title", "p1 p2 p3 p4"),
            ("title = hid || stars ?= 1", "error"), ("stars = 1 || stars = 2 && done = false", "p1"),
            ("(stars = 1 || stars = 2) && done = true", "p2"),
        ])
    func plain(_ filter: String, _ ids: String) {
        #expect(((try? fixture.ids(filter: filter)) ?? "error") == ids)
    }

    @Test(
        "~ searches, unless the text has a wildcard of its own",
        arguments: [
            ("title ~ 'irs'", "p1"), ("title ~ 'IRS'", "p1"), ("title ~ 'f%'", "p1"), ("title ~ 'i%'", ""),
            ("title !~ 'f%'", "p2 p3 p4"), ("title ~ '%'", "p1 p2 p3 p4"), ("title ~ '\\%'", "p2"),
            ("title ~ '_'", "p2"),
            ("title ~ '\\\\'", "p4"), ("title ~ ''", "p1 p2 p3 p4"), ("'first post' ~ title", "p1 p3"),
            ("stars ~ 3.5", "p4"),
            ("id ~ 1", "p1"),
        ])
    func like(_ filter: String, _ ids: String) throws { #expect(try fixture.ids(filter: filter) == ids) }

    @Test(
        "JSON is compared by its values",
        arguments: [
            ("data = 'plain'", "p2"), ("data = 5", "p4"), ("data.a.b.1 = 20", "p1"),
            ("data.a.b.9 = null", "p1 p2 p3 p4"),
            ("data.s = 'x'", "p1"), ("data = ''", ""), ("data = null", "p3"), ("data:lower = 'plain'", "p2"),
            ("at.lon > 5", "p1"), ("at = '{\"lon\":10,\"lat\":20}'", "p1"), ("at.lon:lower = 1", ""),
        ])
    func json(_ filter: String, _ ids: String) throws { #expect(try fixture.ids(filter: filter) == ids) }

    @Test(
        "lists have lengths and members; without ? all members must agree",
        arguments: [
            ("kinds:length = 2", "p1 p4"), ("kinds:length = 0", "p3"), ("kinds:each ?= 'a'", "p1 p4"),
            ("kinds:each = 'b'", "p2"), ("kinds:each != 'c'", "p1 p2 p3"), ("kinds ~ 'a'", "p1 p4"),
            ("tags:each ?= 't1'", "p1 p4"), ("author:length = 1", "p1 p2 p4"), ("title:length = 'first'", "p1"),
            ("title:lower = 'first'", "p1"),
        ])
    func lists(_ filter: String, _ ids: String) throws { #expect(try fixture.ids(filter: filter) == ids) }

    @Test(
        "paths follow relations, back relations and those of other records",
        arguments: [
            ("author.name = 'Ann'", "p1 p4"), ("author.id = 'u1'", "p1 p4"), ("author.name = ''", "p3"),
            ("tags.label ?= 'red'", "p1 p4"), ("tags.label = 'red'", "p4"),
            ("tags.label ?= 'red' && tags.weight ?= 2", ""),
            ("tags.weight > 0 && tags.label ?~ 'blue'", "p1 p2"), ("tags.label:lower ?= 'red'", "p1 p4"),
            ("author.badges.label ?= 'blue'", "p1 p4"), ("comments_via_post.score ?= 5", "p1 p2"),
            ("comments_via_post.score = 5", "p2"), ("comments_via_post.id = ''", "p3 p4"),
            ("covers_via_post.url = '/1'", "p1"),
            ("parent.title = 'first'", "p2 p3"), ("parent.tags.label ?= 'red'", "p2 p3"),
            ("parent.parent.stars = 1", "p4"),
            ("posts_via_parent.stars ?= 2", "p1"), ("author.posts_via_author.stars ?< 0", "p1 p4"),
            ("tags:each ?= 't1' && tags.label ?= 'blue'", ""),
        ])
    func paths(_ filter: String, _ ids: String) throws { #expect(try fixture.ids(filter: filter) == ids) }

    @Test(
        "what does not exist, is no relation, goes too far or is hidden is refused",
        arguments: [
            "nope = 1", "title.x = 1", "author.nope = 1", "nope_via_post.x = 1", "comments_via_score.x = 1",
            "comments_via_nope.x = 1", "tags.comments_via_post.x = 1", "title:nope = 1", "hid = 'h1'",
            "author.secret = 's1'",
            "vault.note = 'n'", "data..a = 1", "#a = 1", "@nope = 1", "a.b.c = 1", "f(1) = 1", "geoDistance(1,2,3) = 1",
            "geoDistance('1',2,3,4) = 1", "strftime() = 1", "strftime(title) = 1", "strftime('%Y', title, 1) = 1",
            "strftime('%Y', strftime('%Y')) = 1", "parent.parent.parent.parent.parent.parent.parent.title = 'x'",
            "@request.method:lower = 'get'", "@collection.posts = 1", "@request.auth = 1",
        ])
    func refused(_ filter: String) {
        #expect(throws: ServiceError.badRequest()) { try fixture.ids(filter: filter) }
    }

    @Test("superusers may look at what is hidden")
    func hidden() throws {
        let root = fixture.superuser()
        #expect(try fixture.ids(filter: "hid = 'h1'", as: root) == "p1 p3")
        #expect(try fixture.ids(filter: "author.secret = 's1'", as: root) == "p1 p4")
        #expect(try fixture.ids(filter: "vault.note = 'n'", as: root) == "p1")
        #expect(try fixture.ids(filter: "author.email ~ 'b@'", as: root) == "p2")
    }

    @Test("an e-mail address is found only where its owner shows it")
    func emailVisibility() throws {
        #expect(try fixture.ids(filter: "author.email ~ 'example'") == "p1 p4")
        #expect(try fixture.ids("users", filter: "email ~ 'example'") == "u1")
        #expect(try fixture.ids("users", filter: "email = 'b@x.example' || name = 'Bob'") == "u2")
        // What may be looked at in a rule is not narrowed.
        #expect(try fixture.ids(rule: "author.email ~ 'b@'") == "p2")
    }

    @Test("a filter that reaches into a collection is bound by its list rule; a missing relation is no obstacle")
    func listRules() throws {
        #expect(try fixture.ids(filter: "team.title = 'closed'") == "")
        #expect(try fixture.ids(filter: "team.title != 'x'") == "p1 p3")
        #expect(try fixture.ids(filter: "team.id = 'g2'") == "p2 p4")
        #expect(try fixture.ids(filter: "author.team.title = 'open' || stars = 0") == "p1 p3 p4")
        #expect(try fixture.ids(sort: "team.title,id") == "p3 p1")
        #expect(try fixture.ids(filter: "team.title = 'closed'", as: fixture.superuser()) == "p2 p4")
    }

    @Test("functions")
    func functions() throws {
        #expect(try fixture.ids(filter: "geoDistance(at.lon, at.lat, 10, 21) < 200") == "p1")
        #expect(try fixture.ids(filter: "strftime('%Y', '2024-02-03') = '2024' && stars = 1") == "p1")
        #expect(try fixture.ids(filter: "strftime('%Y', title) = '' && stars = 1") == "p1")
        #expect(try fixture.ids(filter: "strftime('%s', 0, 'unixepoch') = '0'") == "p1 p2 p3 p4")
    }

    @Test("only superusers may name @request and @collection")
    func clientNames() throws {
        #expect(throws: ServiceError.forbidden("Only superusers can filter by @collection.")) {
            try RecordQuery.checkClientNames(
                filter: "@collection.posts.id = '@request.'", sort: "", request: RequestInfo())
        }
        #expect(throws: ServiceError.forbidden("Only superusers can filter by @request.")) {
            try RecordQuery.checkClientNames(filter: "", sort: "-@request.auth.id", request: fixture.request(as: "u1"))
        }
        try RecordQuery.checkClientNames(filter: "@request.auth.id = 1", sort: "", request: fixture.superuser())
    }

    @Test("a filter of more than 3500 bytes is refused")
    func length() throws {
        let head = "title != '"
        let fits = head + String(repeating: "x", count: 3499 - head.utf8.count) + "'"
        #expect(try fixture.ids(filter: fits) == "p1 p2 p3 p4")
        #expect(throws: ServiceError.badRequest()) { try fixture.ids(filter: fits + " ") }
    }
}
