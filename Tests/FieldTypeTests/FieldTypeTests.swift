import Glibc
import JSON
import PluginABI
import Testing

/// Behaviour that a single request to PocketBase does not show: modifiers, what happens at the moments of a record's
/// life, and the checks of settings.
extension OracleTests {
    @Suite(.serialized)
    struct Behaviour {
        private func clean() {
            FakeHost.original = nil
            FakeHost.record = [:]
            FakeHost.existing = []
            FakeHost.collections = [:]
            FakeHost.randomText = []
            FakeHost.endCall()
        }

        private func open(_ type: String, _ settings: JSON = [:], name: String = "it") throws -> OpenField {
            clean()
            return try FieldPlugin.type(type).open(settings, name: name)
        }

        private func settingsFailures(
            _ type: String, _ settings: JSON, name: String = "it", collection: JSON = [:], original: JSON? = nil
        ) throws -> [String: String] {
            clean()
            let noted = try FieldPlugin.type(type).validateSettings(
                settings, name: name, collection: collection, original: original)
            return Dictionary(noted.map { ($0.field, $0.code) }, uniquingKeysWith: { first, _ in first })
        }

        // MARK: Modifiers

        @Test("numbers are added and subtracted")
        func numbers() throws {
            let field = try open("number")
            #expect(field.modify(ROOST_MODIFY_APPEND, 5, "2.5").map(field.shown) == 7.5)
            #expect(field.modify(ROOST_MODIFY_REMOVE, 5, 7).map(field.shown) == -2)
            #expect(field.modify(ROOST_MODIFY_APPEND, 5, "x").map(field.shown) == 5)
            #expect(field.modify(ROOST_MODIFY_PREPEND, 5, 7) == nil)
            clean()
        }

        @Test("lists grow at both ends and shrink", arguments: ["select", "relation", "file"])
        func lists(_ type: String) throws {
            let field = try open(type, ["maxSelect": 5, "values": ["a"]])
            #expect(field.modify(ROOST_MODIFY_APPEND, ["a"], ["b", "a"]).map(field.shown) == ["a", "b"])
            #expect(field.modify(ROOST_MODIFY_PREPEND, ["a"], "b").map(field.shown) == ["b", "a"])
            #expect(field.modify(ROOST_MODIFY_REMOVE, ["a", "b"], ["a"]).map(field.shown) == ["b"])
            #expect(field.modify(ROOST_MODIFY_AUTOGENERATE, ["a", "b"], ["a"]) == nil)
            let single = try open(type, ["maxSelect": 1])
            #expect(single.modify(ROOST_MODIFY_APPEND, "a", "b").map(single.shown) == "b")
            #expect(single.modify(ROOST_MODIFY_PREPEND, "a", "b").map(single.shown) == "a")
            #expect(single.modify(ROOST_MODIFY_REMOVE, "a", "a").map(single.shown) == "")
            clean()
        }

        @Test("lists that only look alike stay different")
        func canonicalEquivalence() throws {
            let field = try open("select", ["maxSelect": 5, "values": ["\u{E9}"]])
            let value = field.normalise(["\u{E9}", "e\u{301}"])
            #expect(field.shown(value).arrayValue?.count == 2)
            #expect(field.validate(value)?.code == "validation_invalid_value")
            clean()
        }

        @Test("text is generated after what was given")
        func autogenerateModifier() throws {
            let field = try open("text", ["autogeneratePattern": "[a-z]{3}"])
            FakeHost.randomText = ["xyz"]
            #expect(field.modify(ROOST_MODIFY_AUTOGENERATE, "old", "new-").map(field.shown) == "new-xyz")
            clean()
        }

        // MARK: Text

        @Test("text is generated for new records without one only")
        func autogenerate() throws {
            let field = try open("text", ["autogeneratePattern": "gen"])
            FakeHost.record = ["it": field.normalise("")]
            #expect(field.intercept(ROOST_MOMENT_BEFORE_VALIDATE_CREATE) == ROOST_OK)
            #expect(FakeHost.record["it"]?.text == "gen")
            FakeHost.record = ["it": field.normalise("given")]
            #expect(field.intercept(ROOST_MOMENT_BEFORE_CREATE) == ROOST_OK)
            #expect(FakeHost.record["it"]?.text == "given")
            clean()
        }

        @Test("a stored key cannot change and is not checked again")
        func storedKey() throws {
            let field = try open("text", ["primaryKey": true, "pattern": "^[a-z]+$", "min": 3], name: "id")
            FakeHost.original = ["id": field.normalise("A.B")]
            #expect(field.validate(field.normalise("A.B")) == nil)
            #expect(field.validate(field.normalise("abc"))?.code == "validation_pk_change")
            clean()
        }

        // MARK: Dates

        @Test("creation and change are stamped unless a date was set on purpose")
        func autodate() throws {
            let field = try open("autodate", ["onCreate": true, "onUpdate": true])
            #expect(field.shape.flags & ROOST_SHAPE_READ_ONLY != 0)
            FakeHost.record = ["it": field.normalise("")]
            #expect(field.intercept(ROOST_MOMENT_BEFORE_CREATE) == ROOST_OK)
            let stamped = try #require(FakeHost.record["it"]?.text)
            #expect(stamped.utf8.count == 24 && stamped.hasPrefix("20") && stamped.hasSuffix("Z"))

            let given = field.normalise("2020-01-01")
            FakeHost.record = ["it": given]
            #expect(field.intercept(ROOST_MOMENT_BEFORE_CREATE) == ROOST_OK)
            #expect(FakeHost.record["it"]?.text == "2020-01-01 00:00:00.000Z")

            FakeHost.original = ["it": given]
            #expect(field.intercept(ROOST_MOMENT_BEFORE_UPDATE) == ROOST_OK)
            #expect(FakeHost.record["it"]?.text != "2020-01-01 00:00:00.000Z")
            clean()
        }

        @Test("a date may be written in every form that PocketBase's parser takes")
        func dateForms() throws {
            let field = try open("date")
            let forms: [(String, String)] = [
                ("Tue, 02 Jan 2024 03:04:05 GMT+3", "2024-01-02 06:04:05.000Z"),
                ("Tue, 02 Jan 2024 03:04:05 +03", "2024-01-02 03:04:05.000Z"),
                ("2024-01-02   03:04:05", "2024-01-02 03:04:05.000Z"),
                ("2024-01-02 03:04:05 -0700 +03", "2024-01-02 10:04:05.000Z"),
                ("9999-12-31T23:59:59-01:00", "10000-01-01 00:59:59.000Z"),
                ("0000-01-01T00:00:00+02:00", "-0001-12-31 22:00:00.000Z"),
                ("Tue Jan  2 03:04:05 WITA 2024", "2024-01-02 03:04:05.000Z"),
                ("Tue Jan  2 03:04:05 ABCDE 2024", ""),
                ("Tue Jan  2 03:04:05 ABCDT 2024", "2024-01-02 03:04:05.000Z"),
                ("02 Jan 69 03:04 UTC", "1969-01-02 03:04:00.000Z"),
                ("02 Jan 68 03:04 UTC", "2068-01-02 03:04:00.000Z"),
                ("2024-01-02 03:04:05.", ""),
                ("2024-01-02 03:04:05.1234567891234Z", "2024-01-02 03:04:05.123Z"),
                ("0001-01-01 00:00:00.0001Z", "0001-01-01 00:00:00.000Z"),
                ("0001-01-01 00:00:00.001Z", "0001-01-01 00:00:00.001Z"),
                ("13:04PM", ""), ("12:04AM", "0000-01-01 00:04:00.000Z"), ("12:04PM", "0000-01-01 12:04:00.000Z"),
                ("0:04AM", "0000-01-01 00:04:00.000Z"), ("2024-01-02 ", ""),
                ("Tue Jan  2 03:04:05  2024", "2024-01-02 03:04:05.000Z"),
                ("jan  2 03:04:05", "0000-01-02 03:04:05.000Z"),
            ]
            for (input, expected) in forms {
                #expect(field.shown(field.normalise(.string(input))) == .string(expected), "\(input)")
            }
            clean()
        }

        // MARK: Passwords

        @Test("a password becomes a bcrypt hash once")
        func password() throws {
            let field = try open("password", ["cost": 4, "min": 8])
            #expect(field.shape.form == ROOST_FORM_SECRET)
            FakeHost.record = ["it": field.normalise("correct horse")]
            #expect(field.intercept(ROOST_MOMENT_BEFORE_CREATE) == ROOST_OK)
            let hash = try #require(FakeHost.record["it"]?.text)
            #expect(hash.hasPrefix("$2a$04$") && hash.utf8.count == 60)
            #expect(field.validate(try #require(FakeHost.record["it"])) == nil)

            // A second try to save the same record.
            #expect(field.intercept(ROOST_MOMENT_BEFORE_CREATE) == ROOST_OK)
            #expect(FakeHost.record["it"]?.text == hash)

            // A stored record that is saved for other reasons.
            FakeHost.original = ["it": try #require(FakeHost.record["it"])]
            #expect(field.intercept(ROOST_MOMENT_BEFORE_UPDATE) == ROOST_OK)
            #expect(FakeHost.record["it"]?.text == hash)

            // A new password.
            FakeHost.record = ["it": field.normalise("battery staple")]
            #expect(field.intercept(ROOST_MOMENT_BEFORE_UPDATE) == ROOST_OK)
            #expect(FakeHost.record["it"]?.text != hash)
            #expect(FakeHost.record["it"]?.text.hasPrefix("$2a$04$") == true)
            clean()
        }

        @Test("a password that looks like a hash is hashed all the same")
        func passwordLikeHash() throws {
            let field = try open("password", ["cost": 4])
            let chosen = "$2a$31$abcdefghijklmnopqrstuuabcdefghijklmnopqrstuvwxyz01234"
            FakeHost.record = ["it": field.normalise(.string(chosen))]
            #expect(field.intercept(ROOST_MOMENT_BEFORE_CREATE) == ROOST_OK)
            #expect(FakeHost.record["it"]?.text != chosen)
            #expect(FakeHost.record["it"]?.text.hasPrefix("$2a$04$") == true)
            clean()
        }

        // MARK: Files

        @Test("names of stored files and of uploads are taken, others are not")
        func files() throws {
            let field = try open("file", ["maxSelect": 3, "maxSize": 10, "mimeTypes": ["image/png"]])
            FakeHost.original = ["it": field.normalise(["old.txt"])]
            #expect(field.validate(field.normalise(["old.txt"])) == nil)
            #expect(field.validate(field.normalise(["old.txt", "new.png"]))?.code == "validation_invalid_file")
            func upload(_ size: Int, _ type: String) {
                let uploads: JSON = [
                    "it": [
                        [
                            "name": "new.png", "originalName": "n.png", "size": .number(Double(size)),
                            "type": .string(type),
                        ]
                    ]
                ]
                FakeHost.record = ["extra:@uploads": FakeHost.Held(uploads)]
            }
            upload(10, "image/png")
            #expect(field.validate(field.normalise(["old.txt", "new.png"])) == nil)
            upload(11, "image/png")
            #expect(field.validate(field.normalise(["new.png"]))?.code == "validation_file_size_limit")
            upload(10, "text/plain; charset=utf-8")
            let noted = field.validate(field.normalise(["new.png"]))
            #expect(noted?.code == "validation_invalid_mime_type")
            #expect(noted?.message == "\"new.png\" mime type must be one of: image/png.")
            clean()
        }

        // MARK: Settings

        @Test("settings of texts and numbers are checked as PocketBase does")
        func scalarSettings() throws {
            let long = JSON.string(String(repeating: "x", count: 301))
            #expect(
                try settingsFailures(
                    "text", ["min": 5, "max": 3, "pattern": "(", "autogeneratePattern": "[", "help": long])
                    == [
                        "autogeneratePattern": "validation_invalid_regex", "help": "validation_length_out_of_range",
                        "max": "validation_min_greater_equal_than_required", "pattern": "validation_invalid_regex",
                    ])
            #expect(
                try settingsFailures("text", ["min": -1, "max": -1])
                    == ["min": "validation_min_greater_equal_than_required"])
            #expect(
                try settingsFailures("text", ["pattern": "^[a-z]+$", "autogeneratePattern": "1234"])
                    == ["autogeneratePattern": "validation_invalid_autogenerate_pattern_value"])
            #expect(
                try settingsFailures("text", ["max": 9_007_199_254_740_993])
                    == ["max": "validation_max_less_equal_than_required"])
            #expect(
                try settingsFailures("number", ["min": 5, "max": 3]) == ["max": "validation_min_number_constraint"])
            #expect(
                try settingsFailures("number", ["min": 1.5, "max": 2.5, "onlyInt": true])
                    == ["min": "validation_only_int_constraint", "max": "validation_only_int_constraint"])
            #expect(
                try settingsFailures("password", ["min": 80, "max": 90, "cost": 3, "pattern": "["])
                    == [
                        "cost": "validation_min_greater_equal_than_required",
                        "max": "validation_max_less_equal_than_required",
                        "min": "validation_max_less_equal_than_required", "pattern": "validation_invalid_regex",
                    ])
            #expect(try settingsFailures("date", ["min": "2024-01-02", "max": "2023-01-01"]) == [:])
            clean()
        }

        @Test("settings of lists are checked as PocketBase does")
        func listSettings() throws {
            #expect(try settingsFailures("select", [:]) == ["values": "validation_required"])
            #expect(
                try settingsFailures("select", ["values": ["a"], "maxSelect": 3])
                    == ["maxSelect": "validation_max_less_equal_than_required"])
            #expect(
                try settingsFailures("email", ["onlyDomains": ["a.com"], "exceptDomains": ["b.com"]])
                    == ["exceptDomains": "validation_empty", "onlyDomains": "validation_empty"])
            #expect(
                try settingsFailures("url", ["onlyDomains": ["bad_domain", "ok.com", "x"]])
                    == ["onlyDomains.0": "validation_is_domain", "onlyDomains.2": "validation_is_domain"])
            #expect(
                try settingsFailures(
                    "file", ["maxSize": -1, "maxSelect": -2, "thumbs": ["0x0", "abc", "10x10f", "5x5q"]])
                    == [
                        "maxSelect": "validation_min_greater_equal_than_required",
                        "maxSize": "validation_min_greater_equal_than_required",
                        "thumbs.0": "validation_not_in_invalid", "thumbs.1": "validation_match_invalid",
                        "thumbs.3": "validation_match_invalid",
                    ])
            #expect(
                try settingsFailures("autodate", [:])
                    == ["onCreate": "validation_required", "onUpdate": "validation_required"])
            clean()
        }

        @Test("a relation refers to a collection that exists and stays")
        func relationSettings() throws {
            #expect(try settingsFailures("relation", [:]) == ["collectionId": "validation_required"])
            #expect(
                try settingsFailures("relation", ["collectionId": "nope"])
                    == ["collectionId": "validation_field_relation_missing_collection"])
            #expect(
                try settingsFailures("relation", ["collectionId": "own", "minSelect": 3], collection: ["id": "own"])
                    == ["maxSelect": "validation_required"])
            #expect(
                try settingsFailures(
                    "relation", ["collectionId": "own"], collection: ["id": "own"], original: ["collectionId": "other"])
                    == ["collectionId": "validation_field_relation_change"])
            clean()
        }

        @Test("a key has a pattern, is required, shown, named id and alone")
        func keySettings() throws {
            let key: JSON = ["type": "text", "primaryKey": true]
            #expect(
                try settingsFailures(
                    "text", ["primaryKey": true, "hidden": true], collection: ["fields": [key, key]])
                    == [
                        "name": "validation_in_invalid", "pattern": "validation_required",
                        "hidden": "validation_empty", "required": "validation_required",
                        "primaryKey": "validation_unsupported_composite_pk",
                    ])
            clean()
        }
    }
}
