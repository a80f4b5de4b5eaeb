import Foundation
import JSON
import Testing

@testable import PluginHost

extension AllTests {
    @Suite("Start sentinel")
    struct SentinelTests {
        /// Leaves what a process would that crashed while it loaded the plugin.
        private func crash(_ fixture: Fixture, boot: String? = nil) throws {
            let candidate = try #require(PluginCatalog(configuration: fixture.configuration).candidates.first)
            let own = String(decoding: try Files.read("/proc/sys/kernel/random/boot_id"), as: UTF8.self)
            let boot = boot ?? own.trimmingCharacters(in: .whitespacesAndNewlines)
            let note: JSON = [
                "process": .string("\(boot):1:17"), "phase": "init", "plugin": .string(candidate.id),
                "library": .string(candidate.libraryHash), "manifest": .string(candidate.manifestHash),
            ]
            try Files.makeFolder(fixture.data + "/_roost_plugins")
            try Files.write(note.serializedBytes(), to: fixture.data + "/_roost_plugins/starting-1")
        }

        private func enabled() throws -> Fixture {
            let fixture = try Fixture()
            try fixture.plugin(in: fixture.installed)
            try PluginOperations(configuration: fixture.configuration).enable("org.example.fixture")
            return fixture
        }

        @Test("an installed plugin that crashed a start is named and left out until it changes")
        func suspect() throws {
            let fixture = try enabled()
            try crash(fixture)
            #expect(
                fixture.host().report.lines.first?.contains("crashed the server at an earlier start (in its init)")
                    == true)
            #expect(fixture.host().plugins.map(\.state) == ["refused"], "also at the start after")
            #expect(!FileManager.default.fileExists(atPath: fixture.data + "/_roost_plugins/starting-1"))

            let path = fixture.installed + "/org.example.fixture/plugin.json"
            try Files.write(try Files.read(path) + [0x0A], to: path)
            #expect(fixture.host().plugins.map(\.state) == ["loaded"])
        }

        @Test("--retry-plugins loads a suspect, and a good start clears it")
        func retry() throws {
            let fixture = try enabled()
            try crash(fixture)
            #expect(fixture.host().plugins.map(\.state) == ["refused"])
            let host = fixture.host { $0.retryPlugins = true }
            #expect(host.plugins.map(\.state) == ["loaded"])
            host.start()
            #expect(fixture.host().plugins.map(\.state) == ["loaded"])
        }

        @Test("a bundled plugin is suspected from the second crash on")
        func bundled() throws {
            let fixture = try Fixture()
            try fixture.plugin()
            try crash(fixture)
            #expect(fixture.host().plugins.map(\.state) == ["loaded"])
            try crash(fixture)
            #expect(fixture.host().plugins.map(\.state) == ["refused"])
        }

        @Test("a restart of the machine is no crash of the plugin")
        func restart() throws {
            let fixture = try enabled()
            try crash(fixture, boot: "00000000-0000-0000-0000-000000000000")
            #expect(fixture.host().plugins.map(\.state) == ["loaded"])
        }

        @Test("a start that goes well leaves no note")
        func clean() throws {
            let fixture = try enabled()
            fixture.host().start()
            #expect(Files.names(in: fixture.data + "/_roost_plugins").filter { $0.hasPrefix("starting") } == [])
        }
    }
}
