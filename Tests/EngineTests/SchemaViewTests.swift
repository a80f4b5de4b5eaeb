import Engine
import JSON
import Store
import Testing

@Suite("Views")
struct SchemaViewTests {
    @Test("a file of a view is followed through views to the table that has it")
    func source() throws {
        var fixture = try SchemaFixture()
        try fixture.create(#"{"name":"v1","type":"view","viewQuery":"select id, avatar as picture from users"}"#)
        let view = try fixture.create(
            #"{"name":"v2","type":"view","viewQuery":"select x.id, x.picture as p, (1+1) n from v1 x"}"#
        )
        let source = try #require(ViewSource.find("p", of: view, in: fixture.store.schema))
        #expect(source.collection.name == "users")
        #expect(source.field.name == "avatar")
        #expect(ViewSource.find("n", of: view, in: fixture.store.schema) == nil)
    }

    @Test(
        "a query cannot bring a second statement along",
        arguments: [
            "select id from users; delete from users", "select id from users); drop table users; --",
            "select id from users) ; drop table users; select * from (select 1", "delete from users",
            "select id from users where ')' = '' union select '1'); drop table users; select (('",
        ]
    )
    func singleStatement(_ query: String) throws {
        var fixture = try SchemaFixture()
        let body: JSON = ["name": "v", "type": "view", "viewQuery": .string(query)]
        #expect(throws: ServiceError.self) { try fixture.store.create(body) }
        #expect(try fixture.sql("users") != nil)
        #expect(try fixture.sql("v") == nil)
    }

    @Test("an index cannot bring a second statement along")
    func singleIndexStatement() throws {
        var fixture = try SchemaFixture()
        let refusal = try fixture.refusal(
            creating: #"{"name":"t","indexes":["create index i on t (id) where id = 1; drop table users"]}"#
        )
        #expect(refusal.contains("validation_invalid_index_expression"))
        #expect(try fixture.sql("users") != nil)
    }

    @Test("ids that are empty or not unique are told before the view is made")
    func ids() throws {
        var fixture = try SchemaFixture()
        try fixture.create(#"{"name":"t","fields":[{"name":"a","type":"text"}]}"#)
        try fixture.connection.execute("INSERT INTO t (id, a) VALUES ('1', 'x'), ('2', 'x')")
        for (column, reason) in [("a", "non-unique"), ("null", "empty or invalid")] {
            let refusal = try fixture.refusal(
                creating: #"{"name":"v","type":"view","viewQuery":"select \#(column) as id from t"}"#
            )
            #expect(refusal.contains("the query could return records with \(reason) ids"))
        }
    }

    @Test("a view is made again when a field that it shows has changed, and left alone otherwise")
    func resave() throws {
        var fixture = try SchemaFixture()
        let made = try fixture.create(#"{"name":"t","fields":[{"name":"a","type":"text"}]}"#)
        try fixture.create(#"{"name":"v","type":"view","viewQuery":"select id, a from t"}"#)
        let before = try fixture.collection("v").fields[1].id
        try fixture.update("t", #"{"listRule":""}"#)
        #expect(try fixture.collection("v").fields[1].id == before)
        try fixture.update("t", #"{"fields":[{"id":"\#(made.fields[1].id)","name":"a","type":"text","max":9}]}"#)
        #expect(try fixture.collection("v").field(named: "a")?.settings["max"] == 9)
    }
}
