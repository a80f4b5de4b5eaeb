import Engine
import Store
import Testing

@Suite struct QuerySortTests {
    let fixture: QueryFixture
    init() throws { fixture = try QueryFixture() }

    @Test(
        "sorts by fields, paths, JSON, rowid",
        arguments: [
            ("stars", "p4 p3 p1 p2"), ("-stars", "p2 p1 p3 p4"), ("done,-stars", "p1 p3 p2 p4"), ("+id", "p1 p2 p3 p4"),
            ("@rowid", "p1 p2 p3 p4"), ("-@rowid", "p4 p3 p2 p1"), ("author.name,id", "p3 p1 p4 p2"),
            ("-data.s,id", "p1 p2 p3 p4"), ("-tags:length,id", "p1 p2 p4 p3"), ("title:lower", "p3 p2 p4 p1"),
            ("author.id,-id", "p3 p4 p1 p2"),
        ])
    func order(_ sort: String, _ ids: String) throws { #expect(try fixture.ids(sort: sort) == ids) }

    @Test("a sort along many rows returns each record once")
    func many() throws {
        #expect(Set(try fixture.ids(sort: "tags.label").split(separator: " ")) == ["p1", "p2", "p3", "p4"])
        #expect(try fixture.ids(filter: "tags.label ?= 'red'", sort: "tags.weight,id") == "p1 p4")
        #expect(try fixture.ids(filter: "comments_via_post.score ?> 0", sort: "tags.weight,id") == "p1 p2")
    }

    @Test("a random sort returns everything")
    func random() throws {
        #expect(try fixture.ids(sort: "@random").split(separator: " ").sorted() == ["p1", "p2", "p3", "p4"])
    }

    @Test(
        "refuses what cannot be sorted by",
        arguments: [
            "nope", "-", "title,,id", "null", "true", "1", "hid", "vault.note", "@now", "@request.auth.id",
            "author.secret",
            "geoDistance(1,2,3,4)", "stars,stars,stars,stars,stars,stars,stars,stars,stars",
        ])
    func refused(_ sort: String) {
        #expect(throws: ServiceError.badRequest()) { try fixture.ids(sort: sort) }
    }

    @Test("a view has no rowid, but can be filtered and sorted otherwise")
    func view() throws {
        #expect(throws: ServiceError.badRequest()) { try fixture.ids("titles", sort: "@rowid") }
        #expect(try fixture.ids("titles", filter: "author.name = 'Ann'", sort: "-title") == "p1 p4")
    }
}
