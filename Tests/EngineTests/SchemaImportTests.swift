import Engine
import JSON
import Testing

@Suite("Import")
struct SchemaImportTests {
    private func refusal(_ fixture: inout SchemaFixture, _ body: String) throws -> String {
        do {
            try fixture.store.importCollections(request: JSONParser.parse(body))
            return "imported"
        } catch let error as ServiceError {
            return error.body.serialized()
        }
    }

    @Test("submitted fields come before those that stay")
    func order() throws {
        var fixture = try SchemaFixture()
        try fixture.create(#"{"name":"t","fields":[{"name":"a","type":"text"},{"name":"b","type":"text"}]}"#)
        #expect(
            try refusal(&fixture, #"{"collections":[{"name":"t","fields":[{"name":"c","type":"text"}]}]}"#)
                == "imported")
        #expect(try fixture.collection("t").fields.map(\.name) == ["c", "id", "a", "b"])
    }

    @Test("with deleteMissing, missing collections and fields go, and system ones stay")
    func deleteMissing() throws {
        var fixture = try SchemaFixture()
        try fixture.create(#"{"name":"t","fields":[{"name":"a","type":"text"}]}"#)
        try fixture.create(#"{"name":"gone"}"#)
        let answer = try refusal(
            &fixture, #"{"deleteMissing":true,"collections":[{"name":"t","fields":[{"name":"c","type":"text"}]}]}"#
        )
        #expect(answer == "imported")
        #expect(fixture.store.schema.collection("gone") == nil)
        #expect(fixture.store.schema.collection("users") == nil)
        #expect(fixture.store.schema.collection("_superusers") != nil)
        #expect(try fixture.collection("t").fields.map(\.name) == ["c", "id"])
    }

    @Test("nothing is imported when anything fails")
    func atomic() throws {
        var fixture = try SchemaFixture()
        let answer = try refusal(
            &fixture,
            #"{"collections":[{"name":"im0"},{"name":"im1","fields":[{"name":"a b","type":"text"}]}]}"#
        )
        #expect(
            answer
                == #"{"data":{"collections":{"code":"validation_collections_import_failure","message":"Data validations failed for collection \"im1\" (pbc_921445916):\n{\n  \"fields\": {\n    \"1\": {\n      \"name\": \"must be in a valid format\"\n    }\n  }\n}."}},"message":"Failed to import collections.","status":400}"#
        )
        #expect(fixture.store.schema.collection("im0") == nil)
        #expect(try fixture.sql("im0") == nil)
    }

    @Test(
        "bodies that make no sense are refused",
        arguments: [
            (
                #"{"collections":[]}"#,
                #"{"data":{"collections":{"code":"validation_required","message":"Cannot be blank."}},"message":"An error occurred while validating the submitted data.","status":400}"#
            ),
            (
                #"{"collections":5}"#,
                #"{"data":{},"message":"An error occurred while loading the submitted data.","status":400}"#
            ),
            (
                #"{"collections":[{"name":"im1","fields":[{"type":"texxt","name":"a"}]}]}"#,
                #"{"data":{"collections":{"code":"validation_collections_import_failure","message":"Failed to import the collections configuration. Raw error:\njson: cannot unmarshal JSON object into Go core.fieldWithType within \"/fields/0\": missing or unknown field type in {\"name\":\"a\",\"type\":\"texxt\"}."}},"message":"Failed to import collections.","status":400}"#
            ),
            (
                #"{"collections":[{"name":"sqlite_q"}]}"#,
                #"{"data":{"collections":{"code":"validation_collections_import_failure","message":"Failed to import the collections configuration. Raw error:\nfailed to save collection \"sqlite_q\": SQL logic error: object name reserved for internal use: sqlite_q (1)."}},"message":"Failed to import collections.","status":400}"#
            ),
        ]
    )
    func refusals(_ body: String, _ expected: String) throws {
        var fixture = try SchemaFixture()
        #expect(try refusal(&fixture, body) == expected)
    }

    @Test("an exported schema imports into an empty folder, relations and views included")
    func roundTrip() throws {
        var source = try SchemaFixture()
        let a = try source.create(#"{"name":"a","fields":[{"name":"x","type":"text"}]}"#)
        try source.create(#"{"name":"b","fields":[{"name":"r","type":"relation","collectionId":"\#(a.id)"}]}"#)
        try source.create(#"{"name":"v","type":"view","viewQuery":"select id, x from a"}"#)
        let exported = source.store.schema.collections.map { CollectionCodec.json($0) }
        var target = try SchemaFixture()
        try target.store.importCollections(exported.reversed(), deletesMissing: true)
        #expect(
            Set(target.store.schema.collections.map(\.name)) == Set(source.store.schema.collections.map(\.name))
        )
        #expect(try target.collection("b").fields.map(\.id) == source.collection("b").fields.map(\.id))
    }
}
