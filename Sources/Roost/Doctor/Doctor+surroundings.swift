import Engine
import Glibc
import JSON
import PluginHost

extension Doctor {
    private var report: PluginReport {
        var settings = PluginHostConfiguration(
            dataDirectory: folder, pluginsDirectory: configuration.pluginsDirectory,
            bundledDirectory: configuration.bundledDirectory ?? PluginHostConfiguration.besideExecutable(),
            hostVersion: Server.version)
        settings.safeMode = configuration.safeMode
        settings.retryPlugins = configuration.retryPlugins
        return PluginOperations(configuration: settings).list()
    }

    /// The types of fields that the plugins which would be loaded bring.
    var installedFieldTypes: Set<String> {
        var types: Set<String> = []
        for plugin in report.plugins where plugin.problem == nil {
            types.formUnion(plugin.json["fieldTypes"]?.arrayValue?.compactMap(\.stringValue) ?? [])
        }
        return types
    }

    func plugins() -> [Finding] {
        let report = report
        var findings = report.problems.map {
            Finding.error("plugins", $0.message, "Mend the folder, then run `roost plugin list`.")
        }
        for plugin in report.plugins {
            guard let problem = plugin.problem, problem.kind != .disabled else { continue }
            findings.append(
                .error("plugins", problem.message, "See `roost plugin info \(plugin.id)` and `roost plugin check`."))
        }
        let missing = Set(SystemCollections.requiredTypes).subtracting(installedFieldTypes).sorted()
        if !missing.isEmpty {
            findings.append(
                .error(
                    "plugins", "No plugin brings the field types \(missing.joined(separator: ", ")).",
                    "The plugins that come with roost belong into a folder `plugins` beside the program; put them there."
                ))
        }
        if !findings.isEmpty { return findings }
        let off = report.plugins.filter { $0.problem != nil }.count
        return [
            .ok("plugins", "\(report.plugins.count - off) plugins are ready" + (off > 0 ? ", \(off) are off." : "."))
        ]
    }

    func hooks() -> [Finding] {
        let files = FileSystem.names(in: configuration.hooksFolder).filter {
            $0.hasSuffix(".pb.js") || $0.hasSuffix(".pb.ts")
        }
        let runs = report.plugins.contains { $0.id.hasSuffix(".scripting") && $0.problem == nil }
        if files.isEmpty || runs { return [] }
        return [
            .warning(
                "hooks", "\(files.count) JavaScript hooks in \(configuration.hooksFolder) are not run.",
                "Install a scripting plugin, or write them as a plugin (docs/plugins.md).")
        ]
    }

    func port() -> [Finding] {
        let address = "\(configuration.host):\(configuration.port)"
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        hints.ai_flags = AI_PASSIVE
        var found: UnsafeMutablePointer<addrinfo>?
        let host = configuration.host.isEmpty ? nil : configuration.host
        let code = getaddrinfo(host, String(configuration.port), &hints, &found)
        guard code == 0, let info = found?.pointee else {
            return [
                .error(
                    "port", "\(address) is no address: \(String(cString: gai_strerror(code))).",
                    "Give one of this machine's addresses with --http.")
            ]
        }
        defer { freeaddrinfo(found) }
        let descriptor = socket(info.ai_family, info.ai_socktype, info.ai_protocol)
        guard descriptor >= 0 else { return [] }
        defer { close(descriptor) }
        var yes: Int32 = 1
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<Int32>.size))
        // A port that somebody only is bound to may be bound to again; listening is what is refused.
        if bind(descriptor, info.ai_addr, info.ai_addrlen) == 0, listen(descriptor, 1) == 0 {
            return [.ok("port", "\(address) is free.")]
        }
        let reason = errno
        if reason == EADDRINUSE, serverState != nil {
            return [.ok("port", "\(address) is in use, and so is the folder: a server runs.")]
        }
        switch reason {
        case EADDRINUSE:
            return [
                .error(
                    "port", "Another program listens on \(address).",
                    "Find it with `ss -ltnp`, end it, or serve on another port with --http.")
            ]
        case EACCES:
            return [
                .error(
                    "port", "This user may not listen on \(address).",
                    "Use a port from 1024 on, or grant the right: setcap cap_net_bind_service=+ep on the program.")
            ]
        default:
            return [
                .error(
                    "port", "\(address) cannot be listened on: \(Self.reason(reason)).",
                    "Give one of this machine's addresses with --http.")
            ]
        }
    }
}
