import Engine
import Foundation
import JSON
import Testing

@testable import PluginHost

/// The field types of the product, if they were built.
private enum RealPlugins {
    static let root = Files.folder(of: Files.folder(of: Files.folder(of: #filePath)))
    static let build = ProcessInfo.processInfo.environment["ROOST_BUILD"] ?? root + "/.build/debug"
    /// Manifest and library of each.
    static let found: [(manifest: String, library: String)] = {
        let folder = (ProcessInfo.processInfo.environment["ROOST_SOURCES"] ?? root) + "/Plugins/FieldTypes"
        return Files.names(in: folder).compactMap { name in
            let manifest = "\(folder)/\(name)/plugin.json"
            guard let bytes = try? Files.read(manifest), let read = try? Manifest(parsing: bytes) else { return nil }
            let library = build + "/" + read.library
            return Files.exists(library) ? (manifest, library) : nil
        }
    }()
}

extension AllTests {
    @Suite("The product's field types", .enabled(if: RealPlugins.found.count >= 3))
    struct RealPluginTests {
        /// Puts all of them into the fixture's bundled folder, with their hashes.
        private func stage(_ fixture: Fixture) throws {
            for (manifest, library) in RealPlugins.found {
                let bytes = try Files.read(manifest)
                let read = try Manifest(parsing: bytes)
                let target = fixture.bundled + "/" + read.id
                try Files.makeFolder(target)
                try Files.write(try Files.read(library), to: target + "/" + read.library, mode: 0o755)
                var object = try #require(try JSONParser.parse(bytes).objectValue)
                object["sha256"] = .string(Files.sha256(try Files.read(library)))
                try Files.write(JSON.object(object).serializedBytes(), to: target + "/plugin.json")
            }
        }

        @Test("each passes the check")
        func check() throws {
            let fixture = try Fixture()
            try stage(fixture)
            for name in Files.names(in: fixture.bundled) {
                var errors: [String] = []
                let check = CheckChild(folder: fixture.bundled + "/" + name, isThorough: false) { json in
                    guard let message = json["message"]?.stringValue else { return }
                    if json["severity"] == "error" { errors.append(message) } else { print("\(name): \(message)") }
                }
                _ = check.run()
                #expect(errors == [], "\(name): \(errors)")
            }
        }

        @Test("all load into one process and do not disturb each other")
        func together() throws {
            let fixture = try Fixture()
            try stage(fixture)
            let host = fixture.host()
            #expect(host.report.lines == [])
            #expect(host.plugins.count == RealPlugins.found.count)
            host.services.records = MemoryRecords()
            #expect(host.start().lines == [])

            // Each type answers alone and among the others, in turns and from several threads.
            let types = host.fieldTypes
            var instances: [(id: String, instance: any FieldInstance)] = []
            for id in types.ids {
                guard let type = types[id] else { continue }
                var settings = JSONObject(type.settings.map { ($0.name, $0.initial) })
                if id == "relation" { settings["collectionId"] = "t1" }
                if id == "select" { settings["values"] = ["a", "b"] }
                let instance = try? type.open(settings, name: "field", isSystem: false)
                #expect(instance != nil, "\(id)")
                if let instance { instances.append((id, instance)) }
            }
            let values: [Value] = [
                .null, .bool(true), .number(12.5), .text("true"), .text("2024-05-06 07:08:09"), .json("[\"a\",\"b\"]"),
                .json("{\"lon\":1,\"lat\":2}"), .text(String(repeating: "ä", count: 3000)),
            ]
            let opened = instances
            let alone = opened.map { entry in values.map { entry.instance.normalise($0) } }
            DispatchQueue.concurrentPerform(iterations: 8) { _ in
                for _ in 0..<50 {
                    for (position, value) in values.enumerated() {
                        for (index, entry) in opened.enumerated()
                        where entry.instance.normalise(value) != alone[index][position] {
                            Issue.record("\(entry.id) answered otherwise among the others")
                        }
                    }
                }
            }
            #expect(fixture.log.all == [])
            for (id, instance) in opened where id == "text" { #expect(instance.normalise(.text("x")) == .text("x")) }
        }

        @Test("a normalised text costs well under a microsecond of calls", .enabled(if: RealPlugins.found.count >= 3))
        func cost() throws {
            let fixture = try Fixture()
            try fixture.plugin()
            let host = fixture.host()
            let instance = try #require(try host.fieldTypes["fixture"]?.open(["mode": ""], name: "f", isSystem: false))
            let clock = ContinuousClock()
            let spent = clock.measure { for _ in 0..<100_000 { _ = instance.normalise(.text("unchanged")) } }
            print("normalise through the boundary: \(spent / 100_000) each (debug build)")
        }
    }
}
