internal import Glibc

/// Finds plugins, judges them without running any of their code, and puts those that may run in order.
package struct PluginCatalog: Sendable {
    /// All plugins found: first those to be loaded, in the order of loading, then the refused ones by id.
    package private(set) var candidates: [PluginCandidate] = []
    /// The operator's decisions.
    package private(set) var settings = PluginSettings()
    /// What is wrong with a folder as a whole.
    package private(set) var problems: [PluginProblem] = []

    /// Those that may be loaded, in order.
    package var loadable: [PluginCandidate] { candidates.filter { $0.problem == nil } }

    /// Looks for plugins.
    ///
    /// - Parameters:
    ///   - suspects: plugins that crashed an earlier start, with what is then to be said.
    package init(
        configuration: PluginHostConfiguration, isSuspect: (PluginCandidate) -> PluginProblem? = { _ in nil }
    ) {
        do {
            settings = try PluginSettings(readingFrom: configuration.pluginsDirectory)
        } catch {
            problems.append(error)
        }
        var found: [PluginCandidate] = []
        if let bundled = configuration.bundledDirectory {
            found += Self.find(in: bundled, origin: .bundled, settings: settings)
        }
        if Files.isFolder(configuration.pluginsDirectory) {
            do {
                try FileTrust.checkFolder(configuration.pluginsDirectory)
                found += Self.find(in: configuration.pluginsDirectory, origin: .installed, settings: settings)
            } catch {
                problems.append(error)
            }
        }
        if !problems.isEmpty {
            // Without the operator's decisions nothing that needs one may run.
            for index in found.indices where found[index].origin == .installed && found[index].problem == nil {
                found[index].problem = problems.first
            }
        }
        for index in found.indices where found[index].problem == nil {
            found[index].problem = Self.judge(&found[index], configuration) ?? isSuspect(found[index])
        }
        Self.refuseDuplicates(&found)
        candidates = LoadOrder.arrange(found)
    }

    /// Reads one folder as a plugin, whatever the operator decided about it; for `install` and `check`.
    package static func read(folder: String, origin: PluginCandidate.Origin) -> PluginCandidate {
        var candidate = PluginCandidate(id: Files.name(of: folder), origin: origin, folder: folder)
        do {
            let path = folder + "/plugin.json"
            try FileTrust.check(path)
            let bytes = try Files.read(path, limit: Manifest.maxSize)
            candidate.manifestHash = Files.sha256(bytes)
            let manifest = try Manifest(parsing: bytes)
            candidate.manifest = manifest
            candidate.id = manifest.id
        } catch {
            candidate.problem = PluginProblem(error.kind, "\(Files.name(of: folder)): \(error.message)")
        }
        return candidate
    }

    private static func find(
        in folder: String, origin: PluginCandidate.Origin, settings: PluginSettings
    ) -> [PluginCandidate] {
        var found: [PluginCandidate] = []
        for name in Files.names(in: folder) where Files.exists("\(folder)/\(name)/plugin.json") {
            var candidate = read(folder: "\(folder)/\(name)", origin: origin)
            candidate.state = settings[candidate.id]
            found.append(candidate)
        }
        return found
    }

    /// What speaks against one plugin by itself.
    static func judge(
        _ candidate: inout PluginCandidate, _ configuration: PluginHostConfiguration
    ) -> PluginProblem? {
        guard let manifest = candidate.manifest else { return candidate.problem }
        let id = candidate.id
        guard candidate.isEnabled else {
            let reason = candidate.state.enabled == false ? "is disabled" : "is not enabled yet"
            return PluginProblem(.disabled, "\(id) \(reason); run: roost plugin enable \(id)\(grantOption(manifest))")
        }
        if configuration.safeMode, candidate.origin == .installed {
            return PluginProblem(.disabled, "\(id) was left out because of --safe-mode.")
        }
        guard manifest.abiMajor == HostABI.major else {
            return PluginProblem(
                .abi,
                "\(id) was built for version \(manifest.abiMajor) of the plugin ABI, this server has version "
                    + "\(HostABI.major); install a build of the plugin for it.")
        }
        do {
            try FileTrust.check(candidate.libraryPath)
            for program in manifest.programs { try FileTrust.check("\(candidate.folder)/\(program)") }
            candidate.libraryHash = try Files.sha256(of: candidate.libraryPath)
        } catch {
            return PluginProblem(error.kind, "\(id): \(error.message)")
        }
        if let problem = judgeHash(candidate, manifest) { return problem }
        if candidate.origin == .installed {
            let missing = manifest.capabilities.filter { !candidate.state.grants.contains($0) }
            if !missing.isEmpty {
                let names = missing.map(\.rawValue).joined(separator: ", ")
                return PluginProblem(
                    .grant,
                    "\(id) asks for \(names), which it was not granted; run: roost plugin enable \(id)"
                        + grantOption(manifest))
            }
        }
        return nil
    }

    private static func judgeHash(_ candidate: PluginCandidate, _ manifest: Manifest) -> PluginProblem? {
        let id = candidate.id
        let pinned = candidate.origin == .installed ? candidate.state.sha256 : nil
        if let expected = manifest.sha256, expected != candidate.libraryHash {
            return PluginProblem(
                .trust,
                "\(id): \(manifest.library) is not the file that plugin.json describes (its SHA-256 differs); install "
                    + "the plugin again.")
        }
        if let pinned, pinned != candidate.libraryHash {
            return PluginProblem(
                .trust,
                "\(id): \(manifest.library) has changed since it was enabled; if you changed it, run: roost plugin "
                    + "enable \(id)\(grantOption(manifest))")
        }
        if manifest.sha256 == nil, pinned == nil {
            let advice =
                candidate.origin == .bundled ? "build the program again" : "run: roost plugin enable \(id)"
            return PluginProblem(.trust, "\(id): no SHA-256 of \(manifest.library) is known; \(advice).")
        }
        return nil
    }

    /// What to add to `roost plugin enable`.
    static func grantOption(_ manifest: Manifest) -> String {
        manifest.capabilities.isEmpty
            ? "" : " --grant " + manifest.capabilities.map(\.rawValue).joined(separator: ",")
    }

    /// Of two plugins with one id, field type or offered table, the first found counts: bundled before installed.
    private static func refuseDuplicates(_ found: inout [PluginCandidate]) {
        var ids: [String: String] = [:]
        var types: [String: String] = [:]
        var tables: [String: String] = [:]
        for table in HostABI.tables.keys { tables[table] = "the server" }
        for index in found.indices {
            guard found[index].problem == nil, let manifest = found[index].manifest else { continue }
            let candidate = found[index]
            if let other = ids[candidate.id] {
                found[index].problem = PluginProblem(
                    .conflict,
                    "\(candidate.id) is there twice, in \(other) and in \(candidate.folder); remove one of them.")
                continue
            }
            ids[candidate.id] = candidate.folder
            if let type = manifest.fieldTypes.first(where: { types[$0] != nil }) {
                found[index].problem = PluginProblem(
                    .conflict,
                    "\(candidate.id) brings the field type \"\(type)\", which \(types[type] ?? "") brings already; run: "
                        + "roost plugin disable \(candidate.id)")
                continue
            }
            if let table = manifest.offeredTables.first(where: { tables[$0] != nil }) {
                found[index].problem = PluginProblem(
                    .conflict,
                    "\(candidate.id) offers the table \"\(table)\", which \(tables[table] ?? "") offers already; run: "
                        + "roost plugin disable \(candidate.id)")
                continue
            }
            for type in manifest.fieldTypes { types[type] = candidate.id }
            for table in manifest.offeredTables { tables[table] = candidate.id }
        }
    }
}
