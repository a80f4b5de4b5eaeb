import Engine
import JSON
import Store
import Testing

@Suite("New folders")
struct SchemaBootstrapTests {
    @Test("a new folder has PocketBase's collections with its ids")
    func collections() throws {
        let fixture = try SchemaFixture()
        #expect(
            fixture.store.schema.collections.map { "\($0.id) \($0.name)" } == [
                "pbc_2279338944 _mfas", "pbc_1638494021 _otps", "pbc_2281828961 _externalAuths",
                "pbc_4275539003 _authOrigins", "pbc_3142635823 _superusers", "_pb_users_auth_ users",
            ]
        )
        let users = try fixture.collection("users")
        #expect(
            users.fields.map(\.id) == [
                "text3208210256", "password901924565", "text2504183744", "email3885137012", "bool1547992806",
                "bool256245529", "text1579384326", "file376926767", "autodate2990389176", "autodate3332085495",
            ]
        )
        #expect(users.indexes.first == "CREATE UNIQUE INDEX `idx_tokenKey__pb_users_auth_` ON `users` (`tokenKey`)")
        #expect(users.options["authToken"]?["secret"]?.stringValue?.count == 50)
    }

    @Test("tables are made with PocketBase's statements")
    func statements() throws {
        let fixture = try SchemaFixture()
        #expect(
            try fixture.sql("_mfas")
                == "CREATE TABLE `_mfas` (`collectionRef` TEXT DEFAULT '' NOT NULL, `created` TEXT DEFAULT '' NOT NULL, "
                + "`id` TEXT PRIMARY KEY DEFAULT ('r'||lower(hex(randomblob(7)))) NOT NULL, "
                + "`method` TEXT DEFAULT '' NOT NULL, `recordRef` TEXT DEFAULT '' NOT NULL, "
                + "`updated` TEXT DEFAULT '' NOT NULL)"
        )
        #expect(
            try fixture.sql("_params")
                == "CREATE TABLE `_params` (\n\t\t\t`id`      TEXT PRIMARY KEY DEFAULT "
                + "('r'||lower(hex(randomblob(7)))) NOT NULL,\n\t\t\t`value`   JSON DEFAULT NULL,\n"
                + "\t\t\t`created` TEXT DEFAULT (strftime('%Y-%m-%d %H:%M:%fZ')) NOT NULL,\n"
                + "\t\t\t`updated` TEXT DEFAULT (strftime('%Y-%m-%d %H:%M:%fZ')) NOT NULL\n\t\t)"
        )
    }

    @Test("a folder that is up to date is left alone")
    func idempotent() throws {
        let fixture = try SchemaFixture()
        let bootstrap = Bootstrap(fixture.store.environment)
        #expect(try !bootstrap.needsWork(fixture.connection))
        let before = fixture.connection.lastChanges
        try bootstrap.prepareData(fixture.connection)
        #expect(fixture.connection.lastChanges == before)
        #expect(try fixture.connection.scalar("SELECT count(*) FROM _migrations")?.intValue == 8)
    }

    @Test("an alert that nobody edited gets the new text, and unknown indexes are adopted")
    func upgrades() throws {
        var fixture = try SchemaFixture()
        try fixture.create(#"{"name":"posts","fields":[{"name":"a","type":"text"}]}"#)
        let old =
            "<p>Hello,</p>\n<p>We noticed a login to your {APP_NAME} account from a new location.</p>\n"
            + "<p>If this was you, you may disregard this email.</p>\n<p><strong>If this wasn't you, you should "
            + "immediately change your {APP_NAME} account password to revoke access from all other locations.</strong>"
            + "</p>\n<p>\n  Thanks,<br/>\n  {APP_NAME} team\n</p>"
        try fixture.connection.run(
            "UPDATE _collections SET options = json_set(options, '$.authAlert.emailTemplate.body', ?1) WHERE type = 'auth'",
            [.text(old)]
        )
        try fixture.connection.execute("CREATE INDEX stray ON posts (a)")
        try fixture.connection.execute("DELETE FROM _migrations WHERE file LIKE '17%' AND file > '1717233556z'")
        let bootstrap = Bootstrap(fixture.store.environment)
        #expect(try bootstrap.needsWork(fixture.connection))
        try bootstrap.prepareData(fixture.connection)
        let schema = try SchemaLoader(types: SchemaFieldType.registry).load(fixture.connection, version: 2)
        let users = try #require(schema.collection("users"))
        #expect(
            users.options["authAlert"]?["emailTemplate"]?["body"]?.stringValue?.contains("{ALERT_INFO}") == true
        )
        #expect(schema.collection("posts")?.indexes == ["CREATE INDEX `stray` ON `posts` (`a`)"])
        #expect(try fixture.sql("stray") == "CREATE INDEX `stray` ON `posts` (`a`)")
    }

    @Test("a folder older than 0.23 is refused with a sentence")
    func oldFolder() throws {
        let connection = try Connection(path: ":memory:", access: .readWrite(create: true))
        try connection.execute("CREATE TABLE _collections (id TEXT, schema JSON)")
        let bootstrap = Bootstrap(SchemaEnvironment(types: SchemaFieldType.registry))
        #expect(throws: Bootstrap.Failure.self) { try bootstrap.prepareData(connection) }
    }
}
