package import JSON

/// What the operator decided about plugins: `plugins.json` in the plugins folder.
///
///     {"plugins": {"org.example.colour": {"enabled": true, "grants": ["http"], "sha256": "…", "settings": {…}}}}
package struct PluginSettings: Sendable {
    /// The decision about one plugin.
    package struct Entry: Sendable, Equatable {
        /// nil where nobody has decided: bundled plugins then run, installed ones do not.
        package var enabled: Bool?
        package var grants: [Capability] = []
        /// The hash of the library that the operator has let in.
        package var sha256: String?
        /// What the plugin gets as `roost_host.settings`.
        package var settings = JSONObject()
        package init() {}
    }

    package var entries: [String: Entry] = [:]

    package init() {}

    package subscript(id: String) -> Entry {
        get { entries[id] ?? Entry() }
        set { entries[id] = newValue }
    }

    static func path(in pluginsDirectory: String) -> String { pluginsDirectory + "/plugins.json" }

    /// Reads the file; a missing one is empty.
    ///
    /// - Throws: ``PluginProblem``: a file that cannot be understood must not silently become "nothing is enabled".
    package init(readingFrom pluginsDirectory: String) throws(PluginProblem) {
        let path = Self.path(in: pluginsDirectory)
        guard Files.exists(path) else { return }
        let json: JSON
        do {
            json = try JSONParser.parse(try Files.read(path, limit: 16 << 20))
        } catch let error as PluginProblem {
            throw error
        } catch {
            throw PluginProblem(.manifest, "\(path) is not valid JSON (\(error)); correct or remove it.")
        }
        guard let plugins = json["plugins"]?.objectValue else {
            throw PluginProblem(.manifest, "\(path) lacks the object \"plugins\"; correct or remove it.")
        }
        for (id, value) in plugins {
            var entry = Entry()
            entry.enabled = value["enabled"]?.boolValue
            entry.sha256 = value["sha256"]?.stringValue
            entry.settings = value["settings"]?.objectValue ?? JSONObject()
            for item in value["grants"]?.arrayValue ?? [] {
                guard let name = item.stringValue, let capability = Capability(rawValue: name) else {
                    throw PluginProblem(
                        .manifest,
                        "\(path): \"\(id)\" is granted something that does not exist; correct its \"grants\".")
                }
                entry.grants.append(capability)
            }
            entries[id] = entry
        }
    }

    /// Writes the file at one stroke, making the folder if needed.
    package func write(to pluginsDirectory: String) throws(PluginProblem) {
        var plugins = JSONObject()
        for id in entries.keys.sorted() {
            let entry = self[id]
            var object = JSONObject()
            if let enabled = entry.enabled { object["enabled"] = .bool(enabled) }
            if !entry.grants.isEmpty { object["grants"] = .array(entry.grants.map { .string($0.rawValue) }) }
            if let sha256 = entry.sha256 { object["sha256"] = .string(sha256) }
            if !entry.settings.isEmpty { object["settings"] = .object(entry.settings) }
            plugins[id] = .object(object)
        }
        let document: JSON = ["plugins": .object(plugins)]
        try Files.makeFolder(pluginsDirectory)
        // Settings may hold passwords.
        try Files.write(
            document.serializedBytes(options: .init(pretty: true)) + [0x0A], to: Self.path(in: pluginsDirectory),
            mode: 0o600)
    }
}
