import Engine
import JSON
import Store
import Testing

@testable import PluginHost

extension AllTests {
    @Suite("Field types of plugins")
    struct FieldTests {
        private let fixture: Fixture
        private let host: PluginHost
        private let type: any FieldType
        private let connection: Connection

        init() throws {
            fixture = try Fixture()
            try fixture.plugin()
            host = fixture.host()
            host.services.records = MemoryRecords()
            host.start()
            type = try #require(host.fieldTypes["fixture"])
            connection = try Connection(path: ":memory:", access: .readWrite(create: true))
        }

        private func open(_ mode: String = "") throws -> any FieldInstance {
            try type.open(["mode": .string(mode), "max": 3], name: "field", isSystem: false)
        }

        /// Calls `body` with the field in a record that holds a value.
        private func withContext<R>(_ value: Value, _ body: (any FieldInstance, FieldContext) throws -> R) throws -> R {
            let instance = try open()
            let field = Field(id: "f1", name: "field", typeID: "fixture", settings: JSONObject(), instance: instance)
            let collection = MemoryRecords.collection([field])
            let record = Record(new: collection)
            record.values[0] = value
            record.extra["more"] = .number(7)
            let schema = Schema(collections: [collection], version: 1)
            return try body(
                instance, FieldContext(record: record, field: field, index: 0, schema: schema, connection: connection))
        }

        @Test("the settings are read from the plugin's description")
        func settings() {
            #expect(
                type.settings == [
                    FieldSetting(name: "mode", kind: .string, initial: ""),
                    FieldSetting(name: "max", kind: .integer, initial: 3),
                ])
        }

        @Test(
            "a value comes back as the plugin gave it",
            arguments: [
                ("unchanged", "unchanged"), ("input", "input"), ("static", "from the plugin"), ("other", "other"),
                ("", ""),
                ("scratch", String(repeating: "x", count: 100_000)), ("huge scratch", "refused"),
                ("a\0b ä👩‍👧", "a\0b ä👩‍👧"),
            ])
        func normalise(input: String, expected: String) throws {
            #expect(try open().normalise(.text(input)) == .text(expected))
            #expect(fixture.log.all == [])
        }

        @Test(
            "a value that makes no sense becomes the zero value and is logged once",
            arguments: [
                "kind", "invalid UTF-8", "null pointer", "length", "bad JSON", "NaN", "number", "bool 7", "status",
                "pending",
                "spaced JSON",
            ])
        func hostile(input: String) throws {
            let instance = try open()
            for _ in 0..<3 { #expect(instance.normalise(.text(input)) == .text("")) }
            #expect(fixture.log.all.count == 1, "\(fixture.log.all)")
            #expect(
                instance.normalise(.number(5)) == .text(""), "also a value that the plugin wants unchanged must fit")
        }

        @Test("a document is stored without white space")
        func compact() throws {
            #expect(try open("json").normalise(.text("spaced JSON")) == .json("{\"a b\":[1]}"))
        }

        @Test("a shape that cannot be used is refused", arguments: ["injection", "form", "zero", "fails"])
        func shapes(mode: String) {
            #expect(throws: (any Error).self) { try open(mode) }
        }

        @Test(
            "a column's declaration cannot leave its place",
            arguments: [
                ("TEXT DEFAULT '' NOT NULL", true), ("JSON DEFAULT '[]' NOT NULL", true), ("NUMERIC(10, 2)", true),
                ("TEXT DEFAULT 'a;b--'", true), ("", false), ("TEXT, x TEXT", false), ("TEXT)", false),
                ("(TEXT", false),
                ("TEXT;", false), ("TEXT --", false), ("TEXT /* x", false), ("TEXT 'open", false), ("TEXT\n", false),
            ])
        func columns(text: String, isGood: Bool) {
            #expect(FieldShape.isColumnDeclaration(text) == isGood)
        }

        @Test("a modifier is applied, one that the type has not is nil")
        func modify() throws {
            let instance = try open()
            #expect(instance.modify(.append, current: .text("a"), operand: .text("b")) == .text("ab"))
            #expect(instance.modify(.remove, current: .text("a"), operand: .text("b")) == nil)
            let generated = instance.modify(.autogenerate, current: .text(""), operand: .null)?.textValue ?? ""
            #expect(generated.wholeMatch(of: /[a-f]{3}-[0-9]{4}/) != nil)
        }

        @Test("a failure keeps the plugin's code, words and parameters")
        func validate() throws {
            func failure(_ text: String) throws -> FieldFailure? {
                try withContext(.text(text)) { $0.validate(.text(text), in: $1) }
            }
            #expect(try failure("fine") == nil)
            #expect(try failure("bad") == FieldFailure("validation_bad", "it is bad"))
            #expect(try failure("params") == FieldFailure("validation_params", "at most {{.max}}", params: ["max": 3]))
            #expect(try failure("silent") == .invalidValue)
            #expect(fixture.log.all.count == 1)
            #expect(try failure("get") == nil, "values of the record are there")
        }

        @Test("a record's handle is over when the call is")
        func stale() throws {
            #expect(try withContext(.text("keep")) { $0.validate(.text("keep"), in: $1) } == nil)
            #expect(try withContext(.text("stale")) { $0.validate(.text("stale"), in: $1) } == nil)
            #expect(RecordHandles.table.count == 0)
        }

        @Test("a field may set its value, refuse the write and read records")
        func intercept() throws {
            try withContext(.text("x")) { instance, context in
                try instance.intercept(.beforeCreate, in: context)
                #expect(context.record.values[0] == .text("set by the plugin"))
                #expect(
                    throws: ServiceError.validation(
                        "An error occurred while validating the submitted data.",
                        ["field": FieldFailure("validation_update", "no updates")])
                ) { try instance.intercept(.beforeUpdate, in: context) }
                #expect(throws: ServiceError(status: 403, message: "no deletes")) {
                    try instance.intercept(.beforeDelete, in: context)
                }
                try instance.intercept(.afterCreate, in: context)
                try instance.intercept(.afterUpdate, in: context)
            }
            #expect(RecordHandles.table.count == 0, "handles of found records end with the call")
        }

        @Test("settings are refused by the setting's name, and see the collections that are being saved")
        func validateSettings() throws {
            let other = Collection(
                id: "o1", name: "other", type: .base, system: false, fields: [], indexes: [], rules: CollectionRules(),
                options: JSONObject(), created: "", updated: "")
            func failures(_ mode: String, _ collections: [Collection]) -> [String: FieldFailure] {
                let field = Field(
                    id: "f1", name: "field", typeID: "fixture", settings: ["mode": .string(mode)],
                    instance: MissingField(typeID: "fixture"))
                let collection = MemoryRecords.collection([field])
                return type.validate(
                    field,
                    in: FieldSettingsContext(
                        collection: collection, original: nil, schema: Schema(collections: collections, version: 1),
                        fieldID: "f1"))
            }
            #expect(failures("", []) == [:])
            #expect(
                failures("refused", []) == [
                    "mode": FieldFailure("validation_fixture", "mode is refused", params: ["a": 1])
                ])
            #expect(failures("collection", []).keys.sorted() == ["mode"])
            #expect(failures("collection", [other]) == [:])
        }

        @Test("opened fields are closed and give their memory back")
        func memory() throws {
            let before = host.plugins[0].memory?.blocks ?? -1
            var instances = try (0..<10).map { _ in try open() }
            #expect(host.plugins[0].memory?.blocks == before + 10)
            instances = []
            #expect(host.plugins[0].memory?.blocks == before)
            #expect(instances.isEmpty)
        }
    }
}
