import Glibc
import JSON
import Store
import Testing

@testable import Engine

@Suite("Migrations")
struct MigrationTests {
    /// A data folder and a folder of migrations, gone when the body ends.
    private func withEngine(_ body: (Engine, MigrationRunner, _ folder: String) throws -> Void) throws {
        let home = "/tmp/roost-migrations-\(RandomText.make(12))"
        try FileSystem.makeFolders(home + "/pb_migrations")
        try FileSystem.makeFolders(home + "/pb_data")
        defer { try? FileSystem.removeTree(home) }
        var configuration = Engine.Configuration(dataDirectory: home + "/pb_data")
        configuration.automigrations = home + "/pb_migrations"
        let engine = try Engine(
            configuration: configuration, fieldTypes: SchemaFieldType.registry, hooks: HookRegistry(), lock: nil)
        defer { engine.close() }
        let folder = home + "/pb_migrations"
        try body(engine, MigrationRunner(engine: engine, folder: MigrationFolder(folder)), folder)
    }

    private func put(_ text: String, _ path: String) throws { try FileSystem.write(Array(text.utf8), to: path) }

    private func applied(_ engine: Engine) throws -> [String] {
        try engine.data.read { try $0.rows("SELECT file FROM _migrations") }.compactMap(\.[0].textValue)
            .filter { !Bootstrap.migrations.contains($0) }.sorted()
    }

    private func hasTable(_ name: String, _ engine: Engine) throws -> Bool {
        try engine.data.read { try $0.hasTable(name) }
    }

    @Test("SQL migrations are applied in the order of their names and taken back in the other")
    func sql() throws {
        try withEngine { engine, runner, folder throws in
            try put("-- migrate:up\nCREATE TABLE a (x);\n-- migrate:down\nDROP TABLE a;\n", folder + "/1_a.sql")
            try put("-- migrate:up\nINSERT INTO a VALUES (1);\n-- migrate:down\nDELETE FROM a;", folder + "/2_b.sql")
            try put("not for us", folder + "/readme.txt")
            #expect(try runner.pending() == ["1_a.sql", "2_b.sql"])
            #expect(try runner.up().applied == ["1_a.sql", "2_b.sql"])
            #expect(try runner.up().applied == [])
            #expect(try runner.down() == ["2_b.sql"])
            #expect(try runner.lastApplied(-1) == ["1_a.sql"])
            #expect(try runner.down(-1) == ["1_a.sql"])
            #expect(try !hasTable("a", engine))
            #expect(try applied(engine) == [])
        }
    }

    @Test("when one fails, none of the run is kept")
    func allOrNothing() throws {
        try withEngine { engine, runner, folder throws in
            try put("CREATE TABLE a (x);", folder + "/1_a.sql")
            try put("CREATE TABLE b (x); INSERT INTO nowhere VALUES (1);", folder + "/2_b.sql")
            let error = #expect(throws: MigrationError.self) { try runner.up() }
            #expect(error?.description.hasPrefix("failed to apply migration 2_b.sql: ") == true)
            #expect(try !hasTable("a", engine))
            #expect(try applied(engine) == [])
        }
    }

    @Test(
        "SQL that ends the transaction is refused, and nothing of it is kept",
        arguments: ["CREATE TABLE a (x); COMMIT;", "CREATE TABLE a (x); ROLLBACK;", "COMMIT; CREATE TABLE a (x);"])
    func transactionControl(script: String) throws {
        try withEngine { engine, runner, folder throws in
            try put(script, folder + "/1_a.sql")
            let error = #expect(throws: MigrationError.self) { try runner.up() }
            #expect(error?.description.contains("leave BEGIN, COMMIT and ROLLBACK out") == true)
            #expect(try !hasTable("a", engine))
            #expect(try applied(engine) == [])
            try put("CREATE TABLE b (x)", folder + "/1_a.sql")
            #expect(try runner.up().applied == ["1_a.sql"])
        }
    }

    @Test(
        "sections in a wrong order are refused",
        arguments: [
            "-- migrate:down\nSELECT 1;", "SELECT 1;\n-- migrate:up\nSELECT 2;",
            "-- migrate:up\n-- migrate:up\n", "-- migrate:sideways\n",
        ])
    func sections(script: String) {
        #expect(throws: MigrationError.self) { try SQLMigration(script, file: "1.sql") }
    }

    @Test("a file without a down section cannot be taken back, and stays applied")
    func noDown() throws {
        try withEngine { engine, runner, folder throws in
            try put("CREATE TABLE a (x);", folder + "/1_a.sql")
            _ = try runner.up()
            #expect(throws: MigrationError.self) { try runner.down() }
            #expect(try applied(engine) == ["1_a.sql"])
            #expect(try hasTable("a", engine))
        }
    }

    @Test("a program waits for a plugin that runs it, and so does what comes after it")
    func programs() throws {
        try withEngine { engine, runner, folder throws in
            try put("CREATE TABLE a (x);", folder + "/1_a.sql")
            try put("migrate((app) => { app.db().newQuery('…').execute() })", folder + "/2_b.js")
            try put("CREATE TABLE c (x);", folder + "/3_c.sql")
            let outcome = try runner.up()
            #expect(outcome.applied == ["1_a.sql"])
            #expect(outcome.waiting == ["2_b.js", "3_c.sql"])
            #expect(outcome.reason?.needsScripting == true)

            struct Scripts: MigrationScripts {
                struct Program: MigrationProgram {
                    func up(_ context: MigrationContext) throws {
                        try context.transaction.connection.execute("CREATE TABLE b (x)")
                    }
                    func down(_ context: MigrationContext) throws {}
                }
                func program(file: String, source: String) throws -> any MigrationProgram { Program() }
            }
            let scripted = MigrationRunner(engine: engine, folder: MigrationFolder(folder, scripts: Scripts()))
            #expect(try scripted.up().applied == ["2_b.js", "3_c.sql"])
            #expect(try hasTable("b", engine))
        }
    }

    @Test("changes of collections are written as migrations that make the same collections elsewhere")
    func automigration() throws {
        try withEngine { engine, _, folder throws in
            func change(_ body: (inout CollectionStore) throws -> (Collection?, Collection?)) throws {
                try engine.data.writeAndWait { transaction in
                    let (old, new) = try engine.changeCollections(in: transaction, body)
                    try engine.automigration?.record(from: old, to: new, in: transaction)
                }
            }
            try change { store in
                (nil, try store.create(JSONParser.parse(#"{"name":"t","fields":[{"name":"a","type":"text"}]}"#)))
            }
            let first = try #require(engine.schema.collection("t"))
            try change { store in
                let body = #"{"listRule":"","fields":[{"name":"b","type":"number"},{"name":"c","type":"text"}]}"#
                return (first, try store.update(first, JSONParser.parse(body)))
            }
            try change { store in
                (nil, try store.create(JSONParser.parse(#"{"name":"gone"}"#)))
            }
            let gone = try #require(engine.schema.collection("gone"))
            try change { store in
                try store.delete(gone)
                return (gone, nil)
            }
            // Nothing changes: no file.
            let second = try #require(engine.schema.collection("t"))
            try change { store in (second, try store.update(second, [:])) }
            let files = MigrationFolder(folder).files
            #expect(
                files.map { String($0.drop { $0 != "_" }) } == [
                    "_created_t.js", "_updated_t.js", "_created_gone.js", "_deleted_gone.js",
                ])
            #expect(try applied(engine) == files)

            try withEngine { other, _, _ throws in
                let runner = MigrationRunner(engine: other, folder: MigrationFolder(folder))
                #expect(try runner.up().applied == files)
                func shape(_ engine: Engine) throws -> String {
                    CollectionScript.snapshot([try #require(engine.schema.collection("t"))])
                }
                #expect(try shape(other) == shape(engine))
                #expect(other.schema.collection("gone") == nil)
                _ = try runner.down(3)
                #expect(try shape(other) == CollectionScript.snapshot([first]))
                _ = try runner.down()
                #expect(other.schema.collection("t") == nil)
                #expect(try !hasTable("t", other))
            }
        }
    }

    @Test("a change that is undone leaves no file")
    func rollback() throws {
        try withEngine { engine, _, folder throws in
            struct Undo: Error {}
            #expect(throws: Undo.self) { () throws in
                try engine.data.writeAndWait { transaction in
                    let made = try engine.changeCollections(in: transaction) { try $0.create(["name": "t"]) }
                    try engine.automigration?.record(from: nil, to: made, in: transaction)
                    let names = FileSystem.names(in: folder)
                    #expect(names.count == 1 && names[0].hasSuffix(".draft"))
                    throw Undo()
                }
            }
            #expect(MigrationFolder(folder).files.isEmpty)
            #expect(FileSystem.names(in: folder).isEmpty)
            #expect(try applied(engine) == [])
        }
    }

    @Test("what a process that was killed left of its files is put in its place or removed")
    func recovery() throws {
        try withEngine { engine, runner, folder throws in
            try put("SELECT 1;", folder + "/.1_created_a.js.draft")
            try put(CollectionScript.blank, folder + "/.2_created_b.js.draft")
            _ = try engine.data.writeAndWait {
                try $0.connection.run("INSERT INTO _migrations VALUES ('2_created_b.js', 1)")
            }
            try engine.automigration?.recover(engine.data)
            let names = FileSystem.names(in: folder)
            #expect(names == ["2_created_b.js"])
            #expect(try runner.pending() == [])
        }
    }

    @Test("a snapshot is applied like an import")
    func snapshot() throws {
        try withEngine { engine, _, folder throws in
            _ = try engine.data.writeAndWait { transaction in
                try engine.changeCollections(in: transaction) { try $0.create(["name": "t"]) }
            }
            try put(CollectionScript.snapshot(engine.schema.collections), folder + "/1_snapshot.js")
            try withEngine { other, _, _ throws in
                let runner = MigrationRunner(engine: other, folder: MigrationFolder(folder))
                #expect(try runner.up().applied == ["1_snapshot.js"])
                let ids = [other, engine].map { $0.schema.collection("t")?.id }
                #expect(ids[0] == ids[1])
                #expect(try runner.down() == ["1_snapshot.js"])
                let isThere = other.schema.collection("t") != nil
                #expect(isThere)
            }
        }
    }

    @Test("history-sync forgets files that are gone, and nothing of the engine's own")
    func history() throws {
        try withEngine { engine, runner, folder throws in
            try put("SELECT 1;", folder + "/1_a.sql")
            _ = try runner.up()
            unlink(folder + "/1_a.sql")
            try runner.syncHistory()
            #expect(try applied(engine) == [])
            let kept = try engine.data.read { try $0.rows("SELECT file FROM _migrations") }.count
            #expect(kept == Bootstrap.migrations.count)
        }
    }

    @Test("the blank migration does nothing in either direction")
    func blank() {
        #expect(
            CollectionScriptReader.read(CollectionScript.blank)
                == CollectionMigration(upAction: .nothing, downAction: .nothing))
    }

    @Test(
        "scripts that do more than change collections are left to a plugin",
        arguments: [
            "", "migrate(", "migrate((app) => { const x = 1; })", "migrate((db) => { return null; })",
            "migrate((app) => { return app.save(collection); })",
            "migrate((app) => { return null; }); console.log(1)",
            "migrate((app) => { const snapshot = [{name: 'x'}]; return app.importCollections(snapshot, false); })",
            #"migrate((app) => { const collection = new Collection({"name":"x"}); collection.name = "y"; return app.save(collection); })"#,
            #"migrate((app) => { const collection = app.findCollectionByNameOrId("x"); unmarshal({"a":1}, collection); return app.delete(collection) })"#,
            #"migrate((app) => { const collection = app.findCollectionByNameOrId("x)"#,
            #"migrate((app) => { unmarshal({"a":1}, collection) })"#, "migrate((app) => { /* ",
            #"migrate((app) => { const collection = new Collection({"a":"\"#,
        ])
    func unsupported(script: String) { #expect(CollectionScriptReader.read(script) == nil) }

    @Test("scripts are read whatever their white space and comments")
    func reading() {
        let script = #"""
            // what for
            migrate((app)=>{
                /* first */ const collection=app.findCollectionByNameOrId("a")
                unmarshal({"name":"b } // \" no comment"},collection);
                collection.fields.removeById("x");collection.fields.addAt(2,new Field({"type":"text","name":"n"}))
                return app.save(collection)
            })
            """#
        #expect(
            CollectionScriptReader.read(script)
                == CollectionMigration(
                    upAction: .change(
                        "a",
                        [
                            .merge(["name": #"b } // " no comment"#]), .removeField(id: "x"),
                            .putField(2, ["type": "text", "name": "n"]),
                        ]), downAction: .nothing))
    }

    @Test(
        "names of migrations are in snake case",
        arguments: [
            ("Hello World fooBar", "hello_world_foo_bar"), ("add-index", "add_index"), ("HTTPServer2", "httpserver2"),
            ("", ""),
        ])
    func names(title: String, words: String) {
        #expect(MigrationFile.name(title, suffix: "js").drop { $0 != "_" } == "_\(words).js")
    }
}
