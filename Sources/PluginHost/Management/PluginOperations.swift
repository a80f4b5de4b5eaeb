internal import Glibc

/// What `roost plugin …` does. No code of a plugin is run; all takes effect at the next start.
package struct PluginOperations: Sendable {
    private let configuration: PluginHostConfiguration

    package init(configuration: PluginHostConfiguration) { self.configuration = configuration }

    /// All plugins that were found, and what is wrong with the folders.
    package func list() -> PluginReport {
        let sentinel = StartSentinel(dataDirectory: configuration.dataDirectory, retries: configuration.retryPlugins)
        let catalog = PluginCatalog(configuration: configuration) { sentinel.problem(with: $0) }
        return PluginReport(
            plugins: catalog.candidates.map { PluginStatus($0, isLoaded: false, memory: nil) },
            problems: catalog.problems)
    }

    /// One plugin.
    ///
    /// - Throws: ``PluginProblem`` when there is none of that id.
    package func info(_ id: String) throws(PluginProblem) -> PluginStatus {
        guard let status = list().plugins.first(where: { $0.id == id }) else { throw unknown(id) }
        return status
    }

    /// Copies a plugin into the plugins folder, in place of an older one of its id, and enables it.
    ///
    /// - Parameters:
    ///   - path: the plugin's folder, its `plugin.json` or its library.
    ///   - grants: capabilities that it is granted beside those it has already.
    /// - Returns: the plugin as it is now; its `problem` says what is missing before it runs.
    /// - Throws: ``PluginProblem``; what was there before is then still there.
    @discardableResult
    package func install(from path: String, grants: [Capability] = []) throws(PluginProblem) -> PluginStatus {
        let source = Self.folder(of: path)
        let bytes = try Files.read(source + "/plugin.json", limit: Manifest.maxSize)
        let manifest = try Manifest(parsing: bytes)
        let id = manifest.id
        guard manifest.abiMajor == HostABI.major else {
            throw PluginProblem(
                .abi,
                "\(id) was built for version \(manifest.abiMajor) of the plugin ABI, this server has version "
                    + "\(HostABI.major); get a build of the plugin for it.")
        }
        if let bundled = bundledPlugin(id) {
            throw PluginProblem(
                .conflict, "\(id) came with the program (\(bundled.folder)) and cannot be installed over.")
        }
        try checkGrants(grants, manifest)

        let directory = configuration.pluginsDirectory
        try Files.makeFolder(directory)
        try FileTrust.checkFolder(directory)
        // Names that begin with a dot are not looked at when plugins are searched.
        let fresh = "\(directory)/.install-\(id)-\(getpid())"
        let attic = "\(directory)/.removed-\(id)-\(getpid())"
        Files.remove(fresh)
        defer {
            Files.remove(fresh)
            Files.remove(attic)
        }
        try FolderCopy.copy(source, to: fresh)
        // The copy is judged and not the original, which could change in between.
        let copied = try Manifest(parsing: try Files.read(fresh + "/plugin.json", limit: Manifest.maxSize))
        guard copied.id == id else {
            throw PluginProblem(.trust, "\(source) changed while it was installed; try again.")
        }
        guard Files.exists(fresh + "/" + copied.library) else {
            throw PluginProblem(.manifest, "\(id): \(copied.library), which plugin.json names, is not in \(source).")
        }
        let hash = try Files.sha256(of: fresh + "/" + copied.library)
        if let expected = copied.sha256, expected != hash {
            throw PluginProblem(
                .trust,
                "\(id): \(copied.library) is not the file that plugin.json describes (its SHA-256 differs); get it again."
            )
        }
        var settings = try PluginSettings(readingFrom: directory)
        var entry = settings[id]
        entry.enabled = true
        entry.sha256 = hash
        entry.grants = Capability.allCases.filter { entry.grants.contains($0) || grants.contains($0) }
        settings[id] = entry

        let target = installedFolder(id) ?? "\(directory)/\(id)"
        let isUpdate = Files.exists(target)
        if isUpdate, rename(target, attic) != 0 {
            throw PluginProblem(.trust, "\(target) cannot be replaced: \(Files.errorText()).")
        }
        guard rename(fresh, target) == 0 else {
            let reason = Files.errorText()
            if isUpdate { rename(attic, target) }
            throw PluginProblem(.trust, "\(target) cannot be made: \(reason).")
        }
        do {
            try settings.write(to: directory)
        } catch {
            Files.remove(target)
            if isUpdate { rename(attic, target) }
            throw error
        }
        return try info(id)
    }

    /// Removes an installed plugin and what was decided about it. Data of its field types stays untouched.
    package func remove(_ id: String) throws(PluginProblem) {
        guard let folder = installedFolder(id) else {
            if bundledPlugin(id) != nil {
                throw PluginProblem(
                    .conflict, "\(id) came with the program and cannot be removed; run: roost plugin disable \(id)")
            }
            throw unknown(id)
        }
        let attic = "\(configuration.pluginsDirectory)/.removed-\(Files.name(of: folder))-\(getpid())"
        guard rename(folder, attic) == 0 else {
            throw PluginProblem(.trust, "\(folder) cannot be removed: \(Files.errorText()).")
        }
        Files.remove(attic)
        var settings = try PluginSettings(readingFrom: configuration.pluginsDirectory)
        settings.entries.removeValue(forKey: id)
        try settings.write(to: configuration.pluginsDirectory)
    }

    /// Lets a plugin run from the next start on, with the library as it is now.
    ///
    /// - Parameter grants: capabilities that it is granted beside those it has already.
    @discardableResult
    package func enable(_ id: String, grants: [Capability] = []) throws(PluginProblem) -> PluginStatus {
        let candidate = try find(id)
        guard let manifest = candidate.manifest else { throw candidate.problem ?? unknown(id) }
        try checkGrants(grants, manifest)
        var settings = try PluginSettings(readingFrom: configuration.pluginsDirectory)
        var entry = settings[id]
        entry.enabled = true
        if candidate.origin == .installed {
            try FileTrust.check(candidate.libraryPath)
            entry.sha256 = try Files.sha256(of: candidate.libraryPath)
            entry.grants = Capability.allCases.filter { entry.grants.contains($0) || grants.contains($0) }
        }
        settings[id] = entry
        try settings.write(to: configuration.pluginsDirectory)
        return try info(id)
    }

    /// Keeps a plugin from running from the next start on. Its grants stay noted.
    @discardableResult
    package func disable(_ id: String) throws(PluginProblem) -> PluginStatus {
        _ = try find(id)
        var settings = try PluginSettings(readingFrom: configuration.pluginsDirectory)
        settings[id].enabled = false
        try settings.write(to: configuration.pluginsDirectory)
        return try info(id)
    }

    // Looking up

    /// The folder of a plugin that somebody named by the folder, its manifest or its library.
    static func folder(of path: String) -> String {
        var trimmed = path
        while trimmed.utf8.count > 1, trimmed.hasSuffix("/") { trimmed.removeLast() }
        return Files.isFolder(trimmed) ? trimmed : Files.folder(of: trimmed)
    }

    private func find(_ id: String) throws(PluginProblem) -> PluginCandidate {
        if let bundled = bundledPlugin(id) { return bundled }
        guard let folder = installedFolder(id) else { throw unknown(id) }
        return PluginCatalog.read(folder: folder, origin: .installed)
    }

    private func bundledPlugin(_ id: String) -> PluginCandidate? {
        guard let directory = configuration.bundledDirectory else { return nil }
        return Self.candidates(in: directory, .bundled).first { $0.id == id }
    }

    /// The folder of an installed plugin, also of one whose manifest cannot be read, by its name.
    private func installedFolder(_ id: String) -> String? {
        Self.candidates(in: configuration.pluginsDirectory, .installed).first { $0.id == id }?.folder
    }

    private static func candidates(in directory: String, _ origin: PluginCandidate.Origin) -> [PluginCandidate] {
        Files.names(in: directory).filter { Files.exists("\(directory)/\($0)/plugin.json") }
            .map { PluginCatalog.read(folder: "\(directory)/\($0)", origin: origin) }
    }

    private func checkGrants(_ grants: [Capability], _ manifest: Manifest) throws(PluginProblem) {
        guard let excess = grants.first(where: { !manifest.capabilities.contains($0) }) else { return }
        let asked = manifest.capabilities.map(\.rawValue).joined(separator: ", ")
        throw PluginProblem(
            .grant,
            "\(manifest.id) does not ask for \(excess.rawValue); it asks for \(asked.isEmpty ? "nothing" : asked).")
    }

    private func unknown(_ id: String) -> PluginProblem {
        PluginProblem(.requirement, "There is no plugin \(id); roost plugin list shows those that there are.")
    }
}

extension Capability {
    /// Reads `http,network` as the command line has it.
    ///
    /// - Throws: ``PluginProblem`` naming what is none.
    package static func parse(_ list: String) throws(PluginProblem) -> [Capability] {
        var result: [Capability] = []
        for part in list.split(separator: ",") {
            let name = String(part.filter { $0 != " " })
            guard let capability = Capability(rawValue: name) else {
                let known = allCases.map(\.rawValue).joined(separator: ", ")
                throw PluginProblem(.grant, "There is no capability \"\(name)\"; known are \(known).")
            }
            result.append(capability)
        }
        return result
    }
}
