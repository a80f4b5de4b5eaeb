import Engine
import Foundation
import JSON
import Synchronization

@testable import PluginHost

/// A folder of its own with plugins made for one test.
final class Fixture {
    let root: String
    var data: String { root + "/pb_data" }
    var bundled: String { root + "/bundled" }
    var installed: String { root + "/pb_plugins" }
    let log = LogLines()

    init() throws {
        root = NSTemporaryDirectory() + "roost-plugins-" + UUID().uuidString
        for folder in [root, data, bundled, installed] {
            try FileManager.default.createDirectory(
                atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o755])
        }
    }

    deinit { try? FileManager.default.removeItem(atPath: root) }

    var configuration: PluginHostConfiguration {
        var configuration = PluginHostConfiguration(
            dataDirectory: data, pluginsDirectory: installed, bundledDirectory: bundled, hostVersion: "1.2.3")
        configuration.log = { [log] level, plugin, message, _ in log.add("\(level) \(plugin): \(message)") }
        return configuration
    }

    /// Puts a plugin into a folder.
    ///
    /// - Parameters:
    ///   - flags: what the C source is compiled with, e.g. `INIT_FAILS` or `MAJOR=2`.
    ///   - manifest: members that replace those of a sound manifest; null removes one.
    @discardableResult
    func plugin(
        _ id: String = "org.example.fixture", in folder: String? = nil, type: String? = "fixture", flags: [String] = [],
        manifest changes: [(String, JSON)] = [], folderName: String? = nil
    ) throws -> String {
        let target = (folder ?? bundled) + "/" + (folderName ?? id)
        try FileManager.default.createDirectory(
            atPath: target, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o755])
        var flags = flags + ["ID=\"\(id)\""]
        flags.append(type.map { "TYPE=\"\($0)\"" } ?? "NO_TYPE")
        let library = try Compiler.library(flags)
        try FileManager.default.copyItem(atPath: library, toPath: target + "/plugin.so")
        chmod(target + "/plugin.so", 0o755)
        var manifest: JSONObject = [
            "id": .string(id), "name": "Fixture", "version": "1.0.0", "abi": ["major": 1, "minor": 0],
            "library": "plugin.so", "fieldTypes": .array(type.map { [.string($0)] } ?? []),
        ]
        manifest["sha256"] = .string(Files.sha256(try Files.read(target + "/plugin.so")))
        for (key, value) in changes {
            if value.isNull { manifest.remove(key) } else { manifest[key] = value }
        }
        try Files.write(JSON.object(manifest).serializedBytes(), to: target + "/plugin.json")
        return target
    }

    /// A host that has loaded one plugin, which finds records in memory and what else it is given.
    ///
    /// - Returns: the fixture, to be kept as long as the host; the host; the plugin's library.
    static func host(flags: [String], services give: (HostServices) -> Void) throws -> (Fixture, PluginHost, String) {
        let fixture = try Fixture()
        let library = try fixture.plugin(flags: flags) + "/plugin.so"
        let host = fixture.host()
        host.services.records = MemoryRecords()
        give(host.services)
        return (fixture, host, library)
    }

    /// A host that has loaded and started what is there.
    func host(_ change: (inout PluginHostConfiguration) -> Void = { _ in }) -> PluginHost {
        var configuration = configuration
        change(&configuration)
        let host = PluginHost(configuration: configuration)
        host.load()
        return host
    }
}

/// Lines of a log, from any thread.
final class LogLines: Sendable {
    private let lines = Mutex<[String]>([])
    func add(_ line: String) { lines.withLock { $0.append(line) } }
    var all: [String] { lines.withLock { $0 } }
}

/// Compiles the fixture once for each set of flags.
enum Compiler {
    private static let made = Mutex<[String: String]>([:])
    private static let folder: String = {
        let folder = NSTemporaryDirectory() + "roost-fixture-libraries-\(getpid())"
        try? FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        return folder
    }()
    private static let include: String = {
        let tests = Files.folder(of: #filePath)
        return Files.folder(of: Files.folder(of: tests)) + "/Sources/PluginABI/include"
    }()

    struct Failure: Error, CustomStringConvertible {
        var description: String
    }

    static func library(_ flags: [String]) throws -> String {
        let key = flags.sorted().joined(separator: " ")
        return try made.withLock { made in
            if let path = made[key] { return path }
            let path = "\(folder)/\(made.count).so"
            let source = "\(folder)/\(made.count).c"
            try Data(fixtureSource.utf8).write(to: URL(fileURLWithPath: source))
            let compiler = Process()
            compiler.executableURL = URL(fileURLWithPath: "/usr/bin/env")
            compiler.arguments =
                ["cc", "-shared", "-fPIC", "-D_GNU_SOURCE", "-Werror=implicit-function-declaration", "-I", include]
                + flags.map { "-D" + $0 } + ["-o", path, source, "-lpthread"]
            let output = Pipe()
            compiler.standardError = output
            try compiler.run()
            let words = output.fileHandleForReading.readDataToEndOfFile()
            compiler.waitUntilExit()
            guard compiler.terminationStatus == 0 else {
                throw Failure(description: String(decoding: words, as: UTF8.self))
            }
            made[key] = path
            return path
        }
    }

    /// Calls a function without arguments of a loaded library.
    static func call(_ name: String, in path: String) -> Int32 {
        guard let library = dlopen(path, RTLD_NOW), let symbol = dlsym(library, name) else { return -1 }
        return unsafeBitCast(symbol, to: (@convention(c) () -> Int32).self)()
    }

    static func call(_ name: String, _ argument: Int32, in path: String) -> Int32 {
        guard let library = dlopen(path, RTLD_NOW), let symbol = dlsym(library, name) else { return -1 }
        return unsafeBitCast(symbol, to: (@convention(c) (Int32) -> Int32).self)(argument)
    }
}
