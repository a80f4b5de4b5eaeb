internal import Glibc
internal import JSON

/// Notes in the data folder which plugin is being loaded, so that a start after a crash knows whom to suspect.
///
/// Each process writes a file of its own, because the command line may load plugins beside a running server. A file
/// counts as a crash only when its process is gone and the machine has not been restarted since (a power cut while a
/// plugin loads says nothing about the plugin).
final class StartSentinel {
    private struct Suspect {
        var library: String
        var manifest: String
        var phase: String
        var crashes: Int
    }

    private let folder: String
    private let path: String
    private let identity: String
    private let retries: Bool
    private var suspects: [String: Suspect] = [:]

    /// Reads what earlier starts left behind.
    init(dataDirectory: String, retries: Bool) {
        folder = dataDirectory + "/_roost_plugins"
        identity = Self.identity(of: getpid()) ?? ""
        path = folder + "/starting-\(getpid())"
        self.retries = retries
        readSuspects()
        collectCrashes()
    }

    /// Whether a plugin is to be left out. Bundled plugins are needed by almost everything, so that they are suspected
    /// from the second crash on only.
    func problem(with candidate: PluginCandidate) -> PluginProblem? {
        guard !retries, let suspect = suspects[candidate.id], suspect.library == candidate.libraryHash,
            suspect.manifest == candidate.manifestHash,
            suspect.crashes >= (candidate.origin == .bundled ? 2 : 1)
        else { return nil }
        return PluginProblem(
            .suspect,
            "\(candidate.id) crashed the server at an earlier start (in its \(suspect.phase)) and was left out; update "
                + "it, or try it again with --retry-plugins.")
    }

    /// Notes that a plugin's code is about to run.
    func begin(_ phase: String, _ candidate: PluginCandidate) {
        let note: JSON = [
            "process": .string(identity), "phase": .string(phase), "plugin": .string(candidate.id),
            "library": .string(candidate.libraryHash), "manifest": .string(candidate.manifestHash),
        ]
        try? Files.makeFolder(folder)
        // Not synced: it has to survive the process, not the machine.
        let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0o644)
        guard descriptor >= 0 else { return }
        let bytes = note.serializedBytes()
        _ = bytes.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
        close(descriptor)
    }

    /// Notes that nothing is being loaded any more.
    func end() { unlink(path) }

    /// A plugin has come up: it is no suspect any more.
    func clear(_ id: String) {
        if suspects.removeValue(forKey: id) != nil { writeSuspects() }
    }

    private var suspectsPath: String { folder + "/suspects.json" }

    private func readSuspects() {
        guard let bytes = try? Files.read(suspectsPath, limit: 1 << 20),
            let plugins = (try? JSONParser.parse(bytes))?.objectValue
        else { return }
        for (id, value) in plugins {
            suspects[id] = Suspect(
                library: value["library"]?.stringValue ?? "", manifest: value["manifest"]?.stringValue ?? "",
                phase: value["phase"]?.stringValue ?? "start", crashes: value["crashes"]?.intValue ?? 1)
        }
    }

    private func writeSuspects() {
        var object = JSONObject()
        for id in suspects.keys.sorted() {
            guard let suspect = suspects[id] else { continue }
            object[id] = [
                "library": .string(suspect.library), "manifest": .string(suspect.manifest),
                "phase": .string(suspect.phase), "crashes": .number(Double(suspect.crashes)),
            ]
        }
        try? Files.write(JSON.object(object).serializedBytes(), to: suspectsPath)
    }

    private func collectCrashes() {
        var changed = false
        for name in Files.names(in: folder) where name.hasPrefix("starting-") {
            let file = folder + "/" + name
            guard let bytes = try? Files.read(file, limit: 1 << 16) else { continue }
            guard let pid = Int32(name.dropFirst("starting-".count)), let note = try? JSONParser.parse(bytes),
                let process = note["process"]?.stringValue
            else {
                unlink(file)
                continue
            }
            if Self.identity(of: pid) == process { continue }
            unlink(file)
            guard process.hasPrefix(Self.boot + ":"), let id = note["plugin"]?.stringValue else { continue }
            let library = note["library"]?.stringValue ?? ""
            let manifest = note["manifest"]?.stringValue ?? ""
            let before = suspects[id].flatMap { $0.library == library && $0.manifest == manifest ? $0.crashes : nil }
            suspects[id] = Suspect(
                library: library, manifest: manifest, phase: note["phase"]?.stringValue ?? "start",
                crashes: (before ?? 0) + 1)
            changed = true
        }
        if changed { writeSuspects() }
    }

    private static let boot: String = {
        let bytes = (try? Files.read("/proc/sys/kernel/random/boot_id", limit: 256)) ?? []
        return String(decoding: bytes.prefix { $0 > 0x20 }, as: UTF8.self)
    }()

    /// Tells a process from a later one of the same number: the machine's boot, the number and the start time (proc(5),
    /// field 22 of `stat`). nil when there is no such process.
    private static func identity(of pid: Int32) -> String? {
        guard let bytes = try? Files.read("/proc/\(pid)/stat", limit: 1 << 16) else { return nil }
        let text = String(decoding: bytes, as: UTF8.self)
        // The name in parentheses may hold spaces and parentheses itself.
        guard let end = text.lastIndex(of: ")") else { return nil }
        let fields = text[text.index(after: end)...].split(separator: " ")
        guard fields.count > 19 else { return nil }
        return "\(boot):\(pid):\(fields[19])"
    }
}
