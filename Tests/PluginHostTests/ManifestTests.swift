import JSON
import Testing

@testable import PluginHost

extension AllTests {
    @Suite("Manifest")
    struct ManifestTests {
        private static func manifest(_ changes: [(String, JSON)] = []) -> [UInt8] {
            var object: JSONObject = [
                "id": "org.example.colour", "name": "Colour", "version": "1.2.0", "abi": ["major": 1, "minor": 0],
                "library": "libColour.so",
            ]
            for (key, value) in changes { object[key] = value }
            return JSON.object(object).serializedBytes()
        }

        @Test("a full manifest is read")
        func full() throws {
            let manifest = try Manifest(
                parsing: Self.manifest([
                    ("$schema", "x"), ("requires", ["tables": ["roost.http/1"], "plugins": ["org.example.other"]]),
                    ("optional", ["tables": ["a/1"]]), ("offers", ["tables": ["org.example.colour.x/1"]]),
                    ("capabilities", ["http", "secrets"]), ("fieldTypes", ["colour"]),
                    ("routes", ["GET /api/a", ["method": "POST", "path": "/api/b"]]), ("commands", ["paint"]),
                    ("settings", []), ("dashboard", "dashboard"), ("description", "d"),
                    ("sha256", .string(String(repeating: "A", count: 64))),
                ]))
            #expect(manifest.requiredTables == ["roost.http/1"])
            #expect(manifest.requiredPlugins == ["org.example.other"])
            #expect(manifest.offeredTables == ["org.example.colour.x/1"])
            #expect(manifest.capabilities == [.http, .secrets])
            #expect(manifest.routes == [.init(method: "GET", path: "/api/a"), .init(method: "POST", path: "/api/b")])
            #expect(manifest.commands == ["paint"])
            #expect(manifest.sha256 == String(repeating: "a", count: 64))
        }

        @Test(
            "a wrong member is refused with its name",
            arguments: [
                ("id", "colour", "reverse domain"), ("id", "Org.Example", "reverse domain"),
                ("id", "org..x", "reverse domain"),
                ("id", 5, "\"id\" must be a string"), ("version", "1", "semantic version"),
                ("version", "01.0.0", "semantic version"), ("version", "1.0.0-", "semantic version"),
                ("abi", 1, "\"abi\" must be an object"), ("abi", ["major": 1.5], "abi.major"),
                ("abi", ["major": 1, "patch": 1], "unknown key \"patch\""), ("library", "../x.so", "plain name"),
                ("library", "", "lacks \"library\""), ("sha256", "abc", "64 hexadecimal"),
                ("requires", ["table": []], "unknown key \"table\""), ("requires", ["tables": [1]], "requires.tables"),
                ("capabilities", ["root"], "no capability \"root\""), ("fieldTypes", ["a-b"], "letters and digits"),
                ("fieldTypes", ["a", "a"], "twice"), ("routes", ["GET"], "a route is written"),
                ("commands", [1], "a command is written"), ("programs", ["../x"], "plain names"),
                ("colour", 1, "unknown key \"colour\""),
            ] as [(String, JSON, String)])
        func wrong(key: String, value: JSON, expected: String) {
            let error = #expect(throws: PluginProblem.self) {
                _ = try Manifest(parsing: Self.manifest([(key, value)]))
            }
            #expect(error?.message.contains(expected) == true, "\(error?.message ?? "")")
        }

        @Test("a manifest for a later minor version may have keys that are not known yet")
        func laterMinor() throws {
            let manifest = try Manifest(parsing: Self.manifest([("abi", ["major": 1, "minor": 9]), ("colour", 1)]))
            #expect(manifest.abiMinor == 9)
        }

        @Test("what is not a JSON object is refused", arguments: ["", "[]", "{", "{} {}"])
        func noObject(text: String) {
            #expect(throws: PluginProblem.self) { _ = try Manifest(parsing: Array(text.utf8)) }
        }
    }
}
