import Engine
import Foundation
import JSON
import Testing

@testable import PluginHost

extension AllTests {
    @Suite("Loading")
    struct LoadingTests {
        private func problem(_ fixture: Fixture, _ id: String = "org.example.fixture") -> String {
            let host = fixture.host()
            return host.start().plugins.first { $0.id == id }?.problem?.message ?? "none"
        }

        @Test("a sound plugin is loaded, started and stopped, and brings its field type")
        func sound() throws {
            let fixture = try Fixture()
            let folder = try fixture.plugin(flags: ["LATE_REGISTRATION"])
            let host = fixture.host()
            #expect(host.fieldTypes["fixture"]?.pluginID == "org.example.fixture")
            #expect(host.start().lines == [])
            #expect(host.plugins.map(\.state) == ["loaded"])
            let before = Compiler.call("fixture_stopped", in: folder + "/plugin.so")
            host.stop()
            #expect(Compiler.call("fixture_stopped", in: folder + "/plugin.so") == before + 1)
        }

        @Test(
            "a library that is no sound plugin is refused in one line",
            arguments: [
                ("MAGIC={1}", "magic"), ("MAJOR=2", "version 2 of the plugin ABI"), ("SIZE=8", "has 8 bytes"),
                ("VERSION=\"2.0.0\"", "version 1.0.0, the library \"2.0.0\""), ("NO_ENTRY", "lacks roost_plugin_entry"),
                ("NULL_DESCRIPTOR", "no descriptor"), ("MISSING_SYMBOL", "nobody_has_this_function"),
                ("CREATE_FAILS", "could not be created (ROOST_ENOMEM)"), ("INIT_FAILS", "the moon is wrong"),
                ("START_FAILS", "the engine is cold"), ("OFFERS=\"org.example.unlisted/1\"", "does not list the table"),
            ])
        func unsound(flag: String, expected: String) throws {
            let fixture = try Fixture()
            try fixture.plugin(flags: [flag])
            try fixture.plugin("org.example.sound", type: "sound")
            let host = fixture.host()
            let report = host.start()
            let line = report.plugins.first { $0.id == "org.example.fixture" }?.problem?.message ?? "none"
            #expect(line.contains(expected), "\(line)")
            #expect(!line.contains("\n"))
            #expect(host.fieldTypes.ids == ["sound"], "what the failed plugin registered is undone, the other runs")
        }

        @Test("the library's id must be the manifest's")
        func otherID() throws {
            let fixture = try Fixture()
            try fixture.plugin(manifest: [("id", "org.example.other")])
            #expect(problem(fixture, "org.example.other").contains("calls itself \"org.example.fixture\""))
        }

        @Test("a manifest for another major version is refused before any code runs")
        func manifestMajor() throws {
            let fixture = try Fixture()
            try fixture.plugin(flags: ["CREATE_FAILS"], manifest: [("abi", ["major": 2, "minor": 0])])
            #expect(problem(fixture).contains("version 2 of the plugin ABI"))
        }

        @Test("a field type that the manifest lists must be registered, and no other")
        func fieldTypesAsListed() throws {
            let fixture = try Fixture()
            try fixture.plugin(manifest: [("fieldTypes", ["other"])])
            #expect(problem(fixture).contains("does not list the field type \"fixture\""))
            let second = try Fixture()
            try second.plugin(manifest: [("fieldTypes", ["fixture", "more"])])
            #expect(problem(second).contains("did not register the field type \"more\""))
        }

        @Test("files and folders that others can write to are refused", arguments: ["plugin.so", "plugin.json", ""])
        func writableByOthers(file: String) throws {
            let fixture = try Fixture()
            let folder = try fixture.plugin()
            chmod(folder + "/" + file, 0o777)
            let line = fixture.host().report.lines.first ?? ""
            #expect(line.contains("writable by others; run: chmod go-w"), "\(line)")
        }

        @Test("a plugins folder that others can write to is refused as a whole")
        func writablePluginsFolder() throws {
            let fixture = try Fixture()
            try fixture.plugin(in: fixture.installed)
            chmod(fixture.installed, 0o777)
            #expect(fixture.host().report.lines.contains { $0.contains("chmod go-w") })
        }

        @Test("a library with another hash than the manifest's is refused")
        func wrongHash() throws {
            let fixture = try Fixture()
            try fixture.plugin(manifest: [("sha256", .string(String(repeating: "0", count: 64)))])
            #expect(problem(fixture).contains("its SHA-256 differs"))
            let second = try Fixture()
            try second.plugin(manifest: [("sha256", .null)])
            #expect(problem(second).contains("no SHA-256"))
        }

        @Test("of two plugins with one id, the bundled one runs")
        func duplicateID() throws {
            let fixture = try Fixture()
            try fixture.plugin()
            try fixture.plugin(folderName: "zweite")
            let host = fixture.host()
            #expect(host.plugins.map(\.state) == ["loaded", "refused"])
            #expect(host.report.lines.first?.contains("is there twice") == true)
        }

        @Test("of two plugins with one field type, the first runs")
        func duplicateType() throws {
            let fixture = try Fixture()
            try fixture.plugin("org.example.a", type: "same")
            try fixture.plugin("org.example.b", type: "same")
            let host = fixture.host()
            #expect(host.plugins.map(\.state) == ["loaded", "refused"])
            #expect(host.report.lines.first?.contains("\"same\", which org.example.a brings already") == true)
        }

        @Test("plugins load after those they need, and use the tables that those offer")
        func order() throws {
            let fixture = try Fixture()
            let table = "org.example.z.paint/1"
            try fixture.plugin(
                "org.example.a", type: nil, flags: ["WANTS=\"\(table)\""],
                manifest: [("requires", ["tables": [.string(table)]])])
            try fixture.plugin(
                "org.example.b", type: nil, manifest: [("requires", ["plugins": ["org.example.a"]])])
            try fixture.plugin(
                "org.example.z", type: nil, flags: ["OFFERS=\"\(table)\""],
                manifest: [("offers", ["tables": [.string(table)]])])
            let host = fixture.host()
            #expect(host.report.lines == [])
            #expect(host.plugins.map(\.id) == ["org.example.z", "org.example.a", "org.example.b"])
        }

        @Test("an optional table gives the order too, unless it makes a circle")
        func optionalOrder() throws {
            let fixture = try Fixture()
            let table = "org.example.z.paint/1"
            try fixture.plugin("org.example.a", type: nil, manifest: [("optional", ["tables": [.string(table)]])])
            try fixture.plugin(
                "org.example.z", type: nil, flags: ["OFFERS=\"\(table)\""],
                manifest: [("offers", ["tables": [.string(table)]])])
            #expect(fixture.host().plugins.map(\.id) == ["org.example.z", "org.example.a"])
            let second = try Fixture()
            try second.plugin("org.example.a", type: nil, manifest: [("optional", ["tables": [.string(table)]])])
            try second.plugin(
                "org.example.z", type: nil, flags: ["OFFERS=\"\(table)\""],
                manifest: [("offers", ["tables": [.string(table)]]), ("requires", ["plugins": ["org.example.a"]])])
            #expect(second.host().plugins.map(\.id) == ["org.example.a", "org.example.z"])
        }

        @Test("a circle of requirements is refused and named, and so is who needs a member of it")
        func circle() throws {
            let fixture = try Fixture()
            for (id, needs) in [("a", "b"), ("b", "c"), ("c", "a"), ("d", "a")] {
                try fixture.plugin(
                    "org.example.\(id)", type: nil,
                    manifest: [("requires", ["plugins": [.string("org.example.\(needs)")]])])
            }
            try fixture.plugin("org.example.e", type: nil)
            let host = fixture.host()
            #expect(host.plugins.filter { $0.state == "loaded" }.map(\.id) == ["org.example.e"])
            #expect(host.report.lines.count == 4)
            #expect(host.report.lines[0].contains("org.example.a → org.example.b → org.example.c → org.example.a"))
            #expect(host.report.lines[3].contains("org.example.d needs the plugin org.example.a, which is not running"))
        }

        @Test("missing requirements are named")
        func missing() throws {
            let fixture = try Fixture()
            try fixture.plugin("org.example.a", type: nil, manifest: [("requires", ["plugins": ["org.example.none"]])])
            try fixture.plugin("org.example.b", type: nil, manifest: [("requires", ["tables": ["org.example.none/1"]])])
            try fixture.plugin("org.example.c", type: nil, flags: ["INIT_FAILS"])
            try fixture.plugin("org.example.d", type: nil, manifest: [("requires", ["plugins": ["org.example.c"]])])
            let lines = fixture.host().report.lines.joined(separator: "\n")
            #expect(lines.contains("org.example.none, which is not there; install it first"))
            #expect(lines.contains("\"org.example.none/1\", which nobody offers"))
            #expect(lines.contains("org.example.d needs the plugin org.example.c, which is not running"))
        }

        @Test("an installed plugin runs only when enabled, with its capabilities granted and its library unchanged")
        func installed() throws {
            let fixture = try Fixture()
            let folder = try fixture.plugin(
                in: fixture.installed, flags: ["HTTP"], manifest: [("capabilities", ["http"]), ("sha256", .null)])
            #expect(problem(fixture).contains("run: roost plugin enable org.example.fixture --grant http"))
            let operations = PluginOperations(configuration: fixture.configuration)
            #expect(try operations.enable("org.example.fixture").problem?.kind == .grant)
            #expect(problem(fixture).contains("asks for http, which it was not granted"))
            #expect(try operations.enable("org.example.fixture", grants: [.http]).problem == nil)
            let host = fixture.host()
            #expect(host.report.lines == [])
            #expect(host.routes.count == 8)

            #expect(fixture.host { $0.safeMode = true }.plugins.map(\.state) == ["disabled"])
            let handle = try FileHandle(forWritingTo: URL(fileURLWithPath: folder + "/plugin.json"))
            try handle.close()
            // A copy, because the loaded file must not be written to.
            try FileManager.default.removeItem(atPath: folder + "/plugin.so")
            try FileManager.default.copyItem(
                atPath: try Compiler.library(["OTHER", "HTTP"]), toPath: folder + "/plugin.so")
            chmod(folder + "/plugin.so", 0o755)
            #expect(problem(fixture).contains("has changed since it was enabled"))
        }

        @Test("a table that needs a capability is not given to a plugin without it")
        func capability() throws {
            let fixture = try Fixture()
            try fixture.plugin(flags: ["NO_HTTP"])
            #expect(problem(fixture) == "none")
        }

        @Test("a broken plugins.json lets no installed plugin run")
        func brokenState() throws {
            let fixture = try Fixture()
            try fixture.plugin(in: fixture.installed)
            try Data("{".utf8).write(to: URL(fileURLWithPath: fixture.installed + "/plugins.json"))
            let host = fixture.host()
            #expect(host.plugins.map(\.state) == ["refused"])
            #expect(host.report.lines.first?.contains("plugins.json is not valid JSON") == true)
        }
    }
}
