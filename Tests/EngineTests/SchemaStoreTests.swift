import Engine
import JSON
import Store
import Testing

@Suite("Collections")
struct SchemaStoreTests {
    @Test("a new collection gets its id, its id field and its table")
    func create() throws {
        var fixture = try SchemaFixture()
        let made = try fixture.create(#"{"name":"t1","fields":[{"name":"title","type":"text"}]}"#)
        #expect(made.id == "pbc_2109205374")
        #expect(made.fields.map(\.id) == ["text3208210256", "text724990059"])
        #expect(
            try fixture.sql("t1")
                == "CREATE TABLE `t1` (`id` TEXT PRIMARY KEY DEFAULT ('r'||lower(hex(randomblob(7)))) NOT NULL, "
                + "`title` TEXT DEFAULT '' NOT NULL)"
        )
        #expect(
            try fixture.stored("t1", "fields")
                == #"[{"autogeneratePattern":"[a-z0-9]{15}","help":"","hidden":false,"id":"text3208210256","max":15,"#
                + #""min":15,"name":"id","pattern":"^[a-z0-9]+$","presentable":false,"primaryKey":true,"required":true,"#
                + #""system":true,"type":"text"},{"autogeneratePattern":"","help":"","hidden":false,"#
                + #""id":"text724990059","max":0,"min":0,"name":"title","pattern":"","presentable":false,"#
                + #""primaryKey":false,"required":false,"system":false,"type":"text"}]"#
        )
        let loaded = try SchemaLoader(types: SchemaFieldType.registry).load(fixture.connection, version: 9)
        let again = try #require(loaded.collection("T1"))
        #expect(CollectionCodec.json(again) == CollectionCodec.json(made))
    }

    @Test(
        "what PocketBase refuses is refused with its codes",
        arguments: [
            ("{}", #"{"name":{"code":"validation_required","message":"Cannot be blank."}}"#),
            (
                #"{"name":"Users"}"#,
                #"{"name":{"code":"validation_collection_name_exists","message":"Collection name must be unique (case insensitive)."}}"#
            ),
            (
                #"{"name":"t","type":"zzz"}"#,
                #"{"type":{"code":"validation_in_invalid","message":"Must be a valid value."}}"#
            ),
            (#"{"name":5}"#, "{}"),
            (#"{"name":"t","fields":[{"name":"x","type":"nope"}]}"#, "{}"),
            (#"{"name":"t","fields":[{"name":"x","type":"text","min":1.5}]}"#, "{}"),
            (
                #"{"name":"a b","fields":[{"name":"a b","type":"text"},{"name":"true","type":"text"},{"name":"x_via_y","type":"text"},{"name":"","type":"text"}]}"#,
                #"{"fields":{"1":{"name":{"code":"validation_match_invalid","message":"Must be in a valid format."}},"2":{"name":{"code":"validation_not_in_invalid","message":"Must not be in list."}},"3":{"name":{"code":"validation_found_via","message":"The value cannot contain \"_via_\"."}},"4":{"name":{"code":"validation_required","message":"Cannot be blank."}}},"name":{"code":"validation_match_invalid","message":"Must be in a valid format."}}"#
            ),
            (
                #"{"name":"d","fields":[{"name":"a","type":"text"},{"name":"A","type":"text"}]}"#,
                #"{"fields":{"2":{"name":{"code":"validation_duplicated_field_name","message":"Duplicated or invalid field name A.","params":{"fieldName":"A"}}}}}"#
            ),
            (
                #"{"name":"f","fields":[{"name":"a","type":"file","thumbs":["1x1","0x0"]}]}"#,
                #"{"fields":{"1":{"thumbs":{"1":{"code":"validation_not_in_invalid","message":"Must not be in list."}}}}}"#
            ),
            (
                #"{"name":"r","listRule":"nope = 1"}"#,
                #"{"listRule":{"code":"validation_invalid_rule","message":"Invalid rule. Raw error: unknown field \"nope\"."}}"#
            ),
            (
                #"{"name":"ix","fields":[{"name":"a","type":"text"}],"indexes":["create index i on x (a)","create index j on x (missing)"]}"#,
                #"{"indexes":{"1":{"code":"validation_invalid_index_expression","message":"Failed to create index j - SQL logic error: no such column: missing (1)."}}}"#
            ),
            (
                #"{"name":"ix","fields":[{"name":"a","type":"text"}],"indexes":["create index idx_mfas_collectionRef_recordRef on foo (a)"]}"#,
                #"{"indexes":{"0":{"code":"validation_existing_index_name","message":"The index name is already used in _mfas collection.","params":{"usedTableName":"_mfas"}}}}"#
            ),
            (
                #"{"name":"_collections"}"#,
                #"{"name":{"code":"validation_collection_name_invalid","message":"The name shouldn't match with an existing internal table."}}"#
            ),
            (
                #"{"name":"au","type":"auth","manageRule":"","verificationTemplate":{"subject":""},"otp":{"enabled":true,"length":2,"duration":100000}}"#,
                #"{"manageRule":{"code":"validation_nil_or_not_empty_required","message":"Cannot be blank."},"otp":{"duration":{"code":"validation_max_less_equal_than_required","message":"Must be no greater than 86400.","params":{"threshold":86400}},"length":{"code":"validation_min_greater_equal_than_required","message":"Must be no less than 4.","params":{"threshold":4}}},"verificationTemplate":{"subject":{"code":"validation_required","message":"Cannot be blank."}}}"#
            ),
            (
                #"{"name":"au","type":"auth","mfa":{"enabled":true}}"#,
                #"{"mfa":{"enabled":{"code":"validation_mfa_not_enough_auths","message":"MFA requires at least 2 auth methods to be enabled."}}}"#
            ),
            (
                #"{"name":"au","type":"auth","passwordAuth":{"enabled":true,"identityFields":["verified"]}}"#,
                #"{"passwordAuth":{"identityFields":{"code":"validation_missing_unique_constraint","message":"The field verified doesn't have a UNIQUE constraint.","params":{"fieldName":"verified"}}}}"#
            ),
            (
                #"{"name":"au","type":"auth","oauth2":{"enabled":true,"providers":[{"name":"google"},{"name":"google","clientId":"a"}]}}"#,
                #"{"oauth2":{"providers":{"1":{"name":{"code":"validation_duplicated_provider","message":"The provider google is already registered.","params":{"name":"google"}}}}}}"#
            ),
            (
                #"{"name":"v","type":"view","viewQuery":"select 1"}"#,
                #"{"fields":{"code":"validation_missing_primary_key","message":"Missing or invalid \"id\" PK field."},"viewQuery":{"code":"validation_invalid_view_query","message":"Invalid query - missing required id column (you can use `(ROW_NUMBER() OVER()) as id` if you don't have one)."}}"#
            ),
            (
                #"{"name":"v","type":"view","viewQuery":"select id, name as 'x y' from users"}"#,
                #"{"fields":{"1":{"name":{"code":"validation_match_invalid","message":"Must be in a valid format."}}},"viewQuery":{"code":"validation_invalid_view_query","message":"Invalid query - invalid field \"x y\" (1): name: must be in a valid format.."}}"#
            ),
        ]
    )
    func refusals(_ body: String, _ expected: String) throws {
        var fixture = try SchemaFixture()
        let before = try fixture.connection.rows("SELECT name, sql FROM sqlite_master ORDER BY name")
        let refusal = try fixture.refusal(creating: body)
        // A sentence that ends with a full stop gets no second one.
        #expect(refusal == expected.replacing("format..", with: "format."))
        #expect(try fixture.connection.rows("SELECT name, sql FROM sqlite_master ORDER BY name") == before)
    }

    @Test("a change keeps what it does not mention, null empties, lists are replaced")
    func merge() throws {
        var fixture = try SchemaFixture()
        try fixture.create(
            #"{"name":"au","type":"auth","oauth2":{"enabled":true,"providers":[{"name":"google","clientId":"a","clientSecret":"b"},{"name":"github","clientId":"c","clientSecret":"d"}]}}"#
        )
        let secret = try fixture.collection("au").options["authToken"]?["secret"]
        try fixture.update("au", #"{"oauth2":{"providers":[{"name":"github","clientId":"e"}]},"passwordAuth":null}"#)
        let options = try fixture.collection("au").options
        #expect(
            options["oauth2"]?.serialized()
                == #"{"providers":[{"pkce":null,"name":"github","clientId":"e","clientSecret":"d","authURL":"","tokenURL":"","userInfoURL":"","displayName":"","extra":{}}],"mappedFields":{"id":"","name":"","username":"","avatarURL":""},"enabled":true}"#
        )
        #expect(options["passwordAuth"]?.serialized() == #"{"enabled":false,"identityFields":[]}"#)
        #expect(options["authToken"]?["secret"] == secret)
        #expect(
            try fixture.refusal(updating: "au", #"{"oauth2":{"providers":[{"name":"google","clientId":"a"}]}}"#)
                == #"{"oauth2":{"providers":{"0":{"clientSecret":{"code":"validation_required","message":"Cannot be blank."}}}}}"#
        )
    }

    @Test("secrets are stored and never shown, and a changed auth rule ends old sign-ins")
    func secrets() throws {
        var fixture = try SchemaFixture()
        let before = try fixture.collection("users").options["authToken"]?["secret"]?.stringValue ?? ""
        #expect(before.count == 50)
        #expect(try fixture.stored("users", "options")?.contains(before) == true)
        #expect(!CollectionCodec.json(try fixture.collection("users")).serialized().contains("secret"))
        try fixture.update("users", #"{"authRule":null}"#)
        #expect(try fixture.collection("users").options["authToken"]?["secret"]?.stringValue == before)
        try fixture.update("users", #"{"authRule":"verified = true"}"#)
        #expect(try fixture.collection("users").options["authToken"]?["secret"]?.stringValue != before)
    }

    @Test("columns are renamed, swapped, added and dropped with the values in place")
    func columns() throws {
        var fixture = try SchemaFixture()
        let made = try fixture.create(
            #"{"name":"t","fields":[{"name":"a","type":"text"},{"name":"b","type":"text"},{"name":"c","type":"text"}]}"#
        )
        try fixture.connection.execute("INSERT INTO t (id, a, b, c) VALUES ('x', '1', '2', '3')")
        let (a, b) = (made.fields[1].id, made.fields[2].id)
        try fixture.update(
            "t",
            #"{"fields":[{"id":"\#(a)","name":"b","type":"text"},{"id":"\#(b)","name":"a","type":"text"},{"name":"d","type":"number"}]}"#
        )
        #expect(try fixture.connection.rows("SELECT id, a, b, d FROM t") == [["x", "2", "1", 0]])
        #expect(try fixture.connection.rows("SELECT count(*) FROM pragma_table_info('t')") == [[4]])
    }

    @Test("one value becomes a list and a list its last value")
    func multiple() throws {
        var fixture = try SchemaFixture()
        try fixture.create(#"{"name":"t","fields":[{"name":"s","type":"select","values":["a","b"],"maxSelect":1}]}"#)
        try fixture.create(#"{"name":"v","type":"view","viewQuery":"select id, s from t"}"#)
        try fixture.connection.execute("INSERT INTO t (id, s) VALUES ('x', 'a'), ('y', ''), ('z', '[\"a\",\"b\"]')")
        try fixture.update("t", #"{"fields":[{"name":"s","type":"select","values":["a","b"],"maxSelect":2}]}"#)
        #expect(
            try fixture.connection.rows("SELECT s FROM t ORDER BY id") == [["[\"a\"]"], ["[]"], ["[\"a\",\"b\"]"]]
        )
        #expect(try fixture.collection("v").field(named: "s")?.shape.isMultiple == true)
        try fixture.update("t", #"{"fields":[{"name":"s","type":"select","values":["a","b"],"maxSelect":1}]}"#)
        #expect(try fixture.connection.rows("SELECT s FROM t ORDER BY id") == [["a"], [""], ["b"]])
        #expect(try fixture.sql("t")?.contains("`s` TEXT DEFAULT '' NOT NULL") == true)
    }

    @Test("a failed change leaves the table, the row and the schema as they were")
    func atomic() throws {
        var fixture = try SchemaFixture()
        try fixture.create(#"{"name":"t","fields":[{"name":"a","type":"text"}],"indexes":["create index i on t (a)"]}"#)
        let before = try fixture.connection.rows("SELECT * FROM _collections ORDER BY rowid")
        let tables = try fixture.connection.rows("SELECT name, sql FROM sqlite_master ORDER BY name")
        let version = fixture.store.schema.version
        let refusal = try fixture.refusal(
            updating: "t", #"{"name":"t2","fields":[{"name":"b","type":"text"}],"indexes":["create index i on t (a)"]}"#
        )
        #expect(refusal.contains("Failed to create index i"))
        #expect(try fixture.connection.rows("SELECT * FROM _collections ORDER BY rowid") == before)
        #expect(try fixture.connection.rows("SELECT name, sql FROM sqlite_master ORDER BY name") == tables)
        #expect(fixture.store.schema.version == version)
    }

    @Test("a renamed table keeps its indexes under the new name, and views over it work")
    func rename() throws {
        var fixture = try SchemaFixture()
        try fixture.create(#"{"name":"t","fields":[{"name":"a","type":"text"}],"indexes":["create index i on t (a)"]}"#)
        try fixture.create(#"{"name":"v","type":"view","viewQuery":"select id, a from t"}"#)
        let renamed = try fixture.update("t", #"{"name":"t2"}"#)
        #expect(renamed.indexes == ["CREATE INDEX `i` ON `t2` (`a`)"])
        #expect(try fixture.sql("i") == "CREATE INDEX `i` ON `t2` (`a`)")
        #expect(try fixture.connection.rows("SELECT * FROM v").isEmpty)
    }

    @Test("the fields of a view follow from its query")
    func view() throws {
        var fixture = try SchemaFixture()
        try fixture.create(
            #"{"name":"t","fields":[{"name":"n","type":"number"},{"name":"s","type":"select","values":["a"],"maxSelect":2}]}"#
        )
        let view = try fixture.create(
            #"{"name":"vw","type":"view","viewQuery":"select t.id, n as num, s, count(t.id) as c, (n+1) as y, cast(n as text) t, u.id as uid, u.email em from t left join users u on u.id = t.s group by t.id;"}"#
        )
        #expect(
            view.fields.map { "\($0.name) \($0.typeID)" } == [
                "id text", "num number", "s select", "c number", "y json", "t text", "uid relation", "em email",
            ]
        )
        #expect(view.field(named: "c")?.settings["onlyInt"] == true)
        #expect(view.field(named: "uid")?.settings["collectionId"] == "_pb_users_auth_")
        #expect(view.field(named: "num")?.id.hasPrefix("_clone_") == true)
        #expect(
            try fixture.sql("vw")
                == "CREATE VIEW `vw` AS SELECT * FROM (select t.id, n as num, s, count(t.id) as c, (n+1) as y, "
                + "cast(n as text) t, u.id as uid, u.email em from t left join users u on u.id = t.s group by t.id)"
        )
    }

    @Test("an id that is no text is made one")
    func viewID() throws {
        var fixture = try SchemaFixture()
        try fixture.create(
            #"{"name":"vw","type":"view","viewQuery":"select (ROW_NUMBER() OVER()) as id, u.email em from users u where 1=1"}"#
        )
        #expect(
            try fixture.sql("vw")
                == "CREATE VIEW `vw` AS SELECT * FROM (SELECT CAST(`id` as TEXT) `id`,`em` FROM "
                + "(select (ROW_NUMBER() OVER()) as id, u.email em from users u where 1=1))"
        )
    }

    @Test("what is referred to cannot be deleted, system collections never")
    func delete() throws {
        var fixture = try SchemaFixture()
        let t = try fixture.create(#"{"name":"t"}"#)
        try fixture.create(#"{"name":"r","fields":[{"name":"x","type":"relation","collectionId":"\#(t.id)"}]}"#)
        #expect(throws: CollectionError.self) { try fixture.store.delete(t) }
        #expect(throws: CollectionError.self) { try fixture.store.delete(fixture.collection("_mfas")) }
        try fixture.store.delete(fixture.collection("r"))
        try fixture.create(#"{"name":"v","type":"view","viewQuery":"select id from t"}"#)
        #expect(throws: CollectionError.self) { try fixture.store.delete(t) }
        #expect(try fixture.sql("t") != nil)
        try fixture.store.delete(fixture.collection("v"))
        try fixture.store.delete(t)
        #expect(try fixture.sql("t") == nil)
        #expect(fixture.store.schema.collection("t") == nil)
    }

    @Test("deleting an auth collection removes what other tables keep about its records")
    func deleteTraces() throws {
        var fixture = try SchemaFixture()
        let auth = try fixture.create(#"{"name":"au","type":"auth"}"#)
        try fixture.connection.execute(
            "INSERT INTO _mfas (id, collectionRef) VALUES ('a', '\(auth.id)'), ('b', 'other')")
        try fixture.store.delete(auth)
        #expect(try fixture.connection.rows("SELECT id FROM _mfas") == [["b"]])
    }

    @Test("a collection whose field type is not installed is readable and cannot be changed")
    func missingType() throws {
        var fixture = try SchemaFixture()
        try fixture.create(#"{"name":"t","fields":[{"name":"g","type":"geoPoint"}]}"#)
        let before = try fixture.stored("t", "fields")
        var types = FieldTypeRegistry()
        for id in SchemaFieldType.registry.ids where id != "geoPoint" {
            _ = types.register(try #require(SchemaFieldType.registry[id]))
        }
        let schema = try SchemaLoader(types: types).load(fixture.connection, version: 1)
        let t = try #require(schema.collection("t"))
        #expect(t.missingTypes == ["geoPoint"])
        #expect(CollectionCodec.fieldsColumn(t) == before)
        var store = CollectionStore(SchemaEnvironment(types: types), schema: schema, connection: fixture.connection)
        #expect(throws: ServiceError.self) { try store.update(t, ["listRule": ""]) }
        #expect(try fixture.stored("t", "fields") == before)
    }

    @Test("index names of an auth collection with a chosen id hold the derived id, and ids step aside for each other")
    func ids() throws {
        var fixture = try SchemaFixture()
        let chosen = try fixture.create(#"{"id":"mine","name":"au","type":"auth"}"#)
        #expect(chosen.id == "mine")
        #expect(chosen.indexes.first?.contains("idx_tokenKey_pbc_") == true)
        try fixture.connection.execute("SELECT 1")
        try fixture.create(#"{"id":"pbc_2109205374","name":"other"}"#)
        #expect(try fixture.create(#"{"name":"t1"}"#).id == "pbc_21092053742")
    }
}
