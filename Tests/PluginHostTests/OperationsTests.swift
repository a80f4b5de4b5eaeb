import Foundation
import JSON
import Testing

@testable import PluginHost

extension AllTests {
    @Suite("Installing and checking")
    struct OperationsTests {
        private let fixture: Fixture
        private let source: String
        private let operations: PluginOperations

        init() throws {
            fixture = try Fixture()
            source = fixture.root + "/downloads"
            operations = PluginOperations(configuration: fixture.configuration)
        }

        private func states() -> [String] { operations.list().plugins.map { "\($0.id) \($0.state)" } }

        @Test("a plugin is installed, disabled, enabled and removed")
        func life() throws {
            let folder = try fixture.plugin(
                in: source, flags: ["HTTP"], manifest: [("capabilities", ["http"])])
            chmod(folder + "/plugin.so", 0o666)
            #expect(try operations.install(from: folder).problem?.kind == .grant)
            #expect(try operations.install(from: folder + "/plugin.so", grants: [.http]).state == "ready")
            #expect(fixture.host().plugins.map(\.state) == ["loaded"])
            #expect(try operations.disable("org.example.fixture").state == "disabled")
            #expect(fixture.host().plugins.map(\.state) == ["disabled"])
            #expect(try operations.enable("org.example.fixture").state == "ready", "grants were kept")
            try operations.remove("org.example.fixture")
            #expect(states() == [])
            #expect(Files.names(in: fixture.installed) == ["plugins.json"])
            #expect(throws: PluginProblem.self) { try operations.remove("org.example.fixture") }
        }

        @Test("what is wrong is not installed, and what was there stays")
        func refused() throws {
            let folder = try fixture.plugin(in: source)
            try operations.install(from: folder)
            #expect(throws: PluginProblem.self) { try operations.install(from: folder, grants: [.network]) }
            symlink("/etc/passwd", folder + "/link")
            let error = #expect(throws: PluginProblem.self) { try operations.install(from: folder) }
            #expect(error?.message.contains("neither a file nor a folder") == true)
            unlink(folder + "/link")
            try Data("x".utf8).write(to: URL(fileURLWithPath: folder + "/plugin.so"))
            #expect(throws: PluginProblem.self) { try operations.install(from: folder) }
            #expect(throws: PluginProblem.self) { try operations.install(from: fixture.root) }
            #expect(states() == ["org.example.fixture ready"])
            #expect(fixture.host().plugins.map(\.state) == ["loaded"])
        }

        @Test("a bundled plugin can be disabled but neither removed nor installed over")
        func bundled() throws {
            let folder = try fixture.plugin()
            #expect(throws: PluginProblem.self) { try operations.install(from: folder) }
            #expect(throws: PluginProblem.self) { try operations.remove("org.example.fixture") }
            #expect(try operations.disable("org.example.fixture").state == "disabled")
            #expect(try operations.enable("org.example.fixture").state == "ready")
            #expect(throws: PluginProblem.self) { _ = try operations.info("org.example.none") }
        }

        @Test("plugins.json keeps what it was told")
        func settings() throws {
            var settings = PluginSettings()
            settings["org.example.a"].enabled = true
            settings["org.example.a"].grants = [.http, .secrets]
            settings["org.example.a"].settings = ["key": "v"]
            try settings.write(to: fixture.installed)
            #expect(try PluginSettings(readingFrom: fixture.installed).entries == settings.entries)
            var info = stat()
            stat(fixture.installed + "/plugins.json", &info)
            #expect(info.st_mode & 0o777 == 0o600)
        }

        /// What the checking process finds, in this one.
        private func findings(_ folder: String) -> [String] {
            var found: [String] = []
            let check = CheckChild(folder: folder) { json in
                if let message = json["message"]?.stringValue { found.append(message) }
            }
            _ = check.run()
            return found
        }

        @Test("the check finds what a plugin does wrong")
        func check() throws {
            let good = findings(try fixture.plugin("org.example.good", in: source, flags: ["SOUND"]))
            #expect(good == [], "\(good)")
            #expect(
                findings(try fixture.plugin("org.example.leaks", in: source, flags: ["LEAKS"]))
                    .contains { $0.contains("more blocks of the host's memory") })
            #expect(
                findings(
                    try fixture.plugin(
                        "org.example.twice", in: source, flags: ["HTTP"], manifest: [("capabilities", ["http"])])
                )
                .contains { $0.contains("GET /twice answers a request more than once") })
            #expect(
                findings(try fixture.plugin("org.example.init", in: source, flags: ["INIT_FAILS"]))
                    .contains { $0.contains("the moon is wrong") })
        }

        @Test("a child that crashes, hangs or ends is reported with what it was doing")
        func child() throws {
            let folder = try fixture.plugin("org.example.good", in: source)
            func report(_ script: String) throws -> CheckReport {
                let path = fixture.root + "/child.sh"
                try Data("#!/bin/sh\n\(script)\n".utf8).write(to: URL(fileURLWithPath: path))
                chmod(path, 0o755)
                return PluginCheck.run(folder, executable: path, arguments: [], timeout: 2)
            }
            let step = "echo '{\"step\":\"start\"}' >&3"
            #expect(
                try report("\(step); kill -SEGV $$").findings.first?.message.contains("It crashed in \"start\"") == true
            )
            #expect(try report("\(step); exit 0").findings.first?.message == "It ended the process in \"start\".")
            #expect(try report("\(step); exec sleep 60").findings.first?.message.contains("within 2 seconds") == true)
            let good = try report("echo '{\"step\":\"stop\"}' >&3")
            #expect(good.passed)
            #expect(good.lines == ["org.example.good 1.0.0: 1 checks, passed"])
        }
    }
}
