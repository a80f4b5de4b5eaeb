internal import Glibc
internal import PluginABI
internal import Synchronization

/// Brings plugins into the process and takes them through their phases. On the thread that starts the server.
struct PluginLoader {
    let services: HostServices
    let sentinel: StartSentinel

    /// Loads, creates and initialises one plugin. On failure nothing of what it registered counts.
    ///
    /// - Throws: ``PluginProblem`` with one line for the operator.
    func load(_ candidate: PluginCandidate) throws(PluginProblem) -> LoadedPlugin {
        defer { sentinel.end() }
        sentinel.begin("load", candidate)
        let plugin = LoadedPlugin(
            candidate: candidate, services: services, descriptor: try Self.descriptor(of: candidate))

        sentinel.begin("create", candidate)
        plugin.phase = .creating
        let status = plugin.descriptor.pointee.create?(&plugin.instance) ?? ROOST_EINTERNAL
        guard status >= 0 else {
            plugin.phase = .failed
            throw PluginProblem(
                .failed, "\(candidate.id) could not be created (\(Self.name(status))); ask its vendor.")
        }

        sentinel.begin("init", candidate)
        plugin.phase = .initialising
        try run(plugin, "init") { plugin.descriptor.pointee.`init`?(plugin.instance, plugin.host, $0) }
        plugin.phase = .waiting

        let registrations = plugin.registrations.withLock { $0 }
        if let missing = candidate.manifest?.fieldTypes.first(where: { type in
            !registrations.fieldTypes.contains { $0.id == type }
        }) {
            plugin.phase = .failed
            throw PluginProblem(
                .failed,
                "\(candidate.id) did not register the field type \"\(missing)\" that its plugin.json lists; ask its "
                    + "vendor.")
        }
        services.accepted.withLock { $0.accept(registrations, of: plugin.id) }
        return plugin
    }

    /// Starts a plugin. On failure what it registered is undone.
    func start(_ plugin: LoadedPlugin) throws(PluginProblem) {
        defer { sentinel.end() }
        sentinel.begin("start", plugin.candidate)
        plugin.phase = .starting
        if let start = plugin.descriptor.pointee.start {
            do {
                try run(plugin, "start") { start(plugin.instance, $0) }
            } catch {
                services.accepted.withLock { $0.remove(plugin.id) }
                throw error
            }
        }
        plugin.phase = .running
        sentinel.clear(plugin.id)
    }

    private func run(
        _ plugin: LoadedPlugin, _ phase: String, _ body: (OpaquePointer) -> roost_status?
    ) throws(PluginProblem) {
        let (status, words) = withCall(plugin) { call in (body(call.pointer) ?? ROOST_EINTERNAL, call.words) }
        let complaint = plugin.registrations.withLock { $0.complaint }
        guard status < 0 || complaint != nil else { return }
        plugin.phase = .failed
        let reason = [words, complaint ?? ""].filter { !$0.isEmpty }.joined(separator: "; ")
        throw PluginProblem(
            .failed,
            "\(plugin.id) failed in its \(phase): \(reason.isEmpty ? Self.name(status) : reason)")
    }

    /// Maps the library and judges its descriptor.
    private static func descriptor(
        of candidate: PluginCandidate
    ) throws(PluginProblem) -> UnsafePointer<roost_plugin_descriptor> {
        let id = candidate.id
        let path = Files.real(candidate.libraryPath) ?? candidate.libraryPath
        guard let library = dlopen(path, RTLD_NOW | RTLD_LOCAL) else {
            let reason = dlerror().map { String(cString: $0) } ?? "no reason given"
            throw PluginProblem(
                .load, "\(id) could not be loaded: \(reason); install what is missing, or a build for this system.")
        }
        guard let symbol = dlsym(library, "roost_plugin_entry") else {
            throw PluginProblem(
                .load,
                "\(id): \(Files.name(of: path)) is no plugin, it lacks roost_plugin_entry; install another build.")
        }
        typealias Entry = @convention(c) () -> UnsafePointer<roost_plugin_descriptor>?
        let entry = unsafeBitCast(symbol, to: Entry.self)
        guard let descriptor = entry() else {
            throw PluginProblem(.load, "\(id): its entry gave no descriptor; install another build.")
        }
        guard UInt(bitPattern: descriptor) % UInt(MemoryLayout<roost_plugin_descriptor>.alignment) == 0 else {
            throw PluginProblem(.load, "\(id): its descriptor is misplaced in memory; install another build.")
        }
        try judge(descriptor, candidate)
        return descriptor
    }

    private static func judge(
        _ descriptor: UnsafePointer<roost_plugin_descriptor>, _ candidate: PluginCandidate
    ) throws(PluginProblem) {
        let id = candidate.id
        let magic: [UInt8] = Array("ROOST\0P1".utf8)
        let given = withUnsafeBytes(of: descriptor.pointee.magic) { Array($0) }
        guard given == magic else {
            throw PluginProblem(.load, "\(id): its descriptor lacks Roost's magic bytes; install another build.")
        }
        guard descriptor.pointee.abi_major == HostABI.major else {
            throw PluginProblem(
                .abi,
                "\(id) was built for version \(descriptor.pointee.abi_major) of the plugin ABI, this server has version "
                    + "\(HostABI.major); install a build of the plugin for it.")
        }
        guard Int(descriptor.pointee.size) == MemoryLayout<roost_plugin_descriptor>.size else {
            throw PluginProblem(
                .load,
                "\(id): its descriptor has \(descriptor.pointee.size) bytes instead of "
                    + "\(MemoryLayout<roost_plugin_descriptor>.size); install another build.")
        }
        guard descriptor.pointee.id.text == id else {
            throw PluginProblem(
                .load,
                "\(id): the library calls itself \"\(descriptor.pointee.id.message)\"; plugin.json and library do not "
                    + "belong together, install the plugin again.")
        }
        let version = candidate.manifest?.version ?? ""
        guard descriptor.pointee.version.text == version else {
            throw PluginProblem(
                .load,
                "\(id): plugin.json says version \(version), the library \"\(descriptor.pointee.version.message)\"; "
                    + "install the plugin again.")
        }
        guard descriptor.pointee.create != nil, descriptor.pointee.`init` != nil else {
            throw PluginProblem(.load, "\(id): its descriptor lacks create or init; ask its vendor.")
        }
    }

    /// A status as its name in the headers.
    static func name(_ status: roost_status) -> String {
        switch status {
        case ROOST_EFAILED: "ROOST_EFAILED, no reason given"
        case ROOST_EINVALID: "ROOST_EINVALID"
        case ROOST_ENOTFOUND: "ROOST_ENOTFOUND"
        case ROOST_EDENIED: "ROOST_EDENIED"
        case ROOST_ESTALE: "ROOST_ESTALE"
        case ROOST_ETHREAD: "ROOST_ETHREAD"
        case ROOST_ENOMEM: "ROOST_ENOMEM"
        case ROOST_EUNSUPPORTED: "ROOST_EUNSUPPORTED"
        case ROOST_ECONFLICT: "ROOST_ECONFLICT"
        case ROOST_EINTERNAL: "ROOST_EINTERNAL"
        default: "status \(status)"
        }
    }
}
