package import JSON

/// What the server knows and thinks of one plugin.
package struct PluginStatus: Sendable {
    package let candidate: PluginCandidate
    /// Whether its code is in and works.
    package let isLoaded: Bool
    /// Memory that it holds of the host's: bytes and blocks.
    package let memory: (bytes: Int, blocks: Int)?

    init(_ candidate: PluginCandidate, isLoaded: Bool, memory: (bytes: Int, blocks: Int)?) {
        self.candidate = candidate
        self.isLoaded = isLoaded
        self.memory = memory
    }

    package var id: String { candidate.id }
    package var name: String { candidate.manifest?.name ?? candidate.id }
    package var version: String { candidate.manifest?.version ?? "" }
    package var problem: PluginProblem? { candidate.problem }

    /// One word: `loaded`, `ready` (would be loaded), `disabled` or `refused`.
    package var state: String {
        if let problem { return problem.kind == .disabled ? "disabled" : "refused" }
        return isLoaded ? "loaded" : "ready"
    }

    package var json: JSON {
        var object = JSONObject()
        object["id"] = .string(id)
        object["name"] = .string(name)
        object["version"] = .string(version)
        object["origin"] = .string(candidate.origin.rawValue)
        object["state"] = .string(state)
        object["enabled"] = .bool(candidate.isEnabled)
        if let problem {
            object["problem"] = ["kind": .string(problem.kind.rawValue), "message": .string(problem.message)]
        }
        object["folder"] = .string(candidate.folder)
        if let manifest = candidate.manifest {
            object["abi"] = .string("\(manifest.abiMajor).\(manifest.abiMinor)")
            object["library"] = .string(manifest.library)
            if !candidate.libraryHash.isEmpty { object["sha256"] = .string(candidate.libraryHash) }
            object["vendor"] = .string(manifest.vendor)
            object["license"] = .string(manifest.license)
            object["url"] = .string(manifest.url)
            object["description"] = .string(manifest.summary)
            object["requires"] = [
                "tables": strings(manifest.requiredTables), "plugins": strings(manifest.requiredPlugins),
            ]
            object["optional"] = ["tables": strings(manifest.optionalTables)]
            object["offers"] = ["tables": strings(manifest.offeredTables)]
            object["capabilities"] = strings(manifest.capabilities.map(\.rawValue))
            object["granted"] = strings(candidate.granted.map(\.rawValue))
            object["fieldTypes"] = strings(manifest.fieldTypes)
            object["routes"] = .array(
                manifest.routes.map { ["method": .string($0.method), "path": .string($0.path)] })
            object["commands"] = strings(manifest.commands)
        }
        if let memory {
            object["memory"] = ["bytes": .number(Double(memory.bytes)), "blocks": .number(Double(memory.blocks))]
        }
        return .object(object)
    }

    private func strings(_ texts: [String]) -> JSON { .array(texts.map { .string($0) }) }
}

/// What came of looking for plugins and loading them.
package struct PluginReport: Sendable {
    package let plugins: [PluginStatus]
    /// What is wrong with the plugin folders as a whole.
    package let problems: [PluginProblem]

    /// One line each of what the operator should know; switched-off plugins are not among them.
    package var lines: [String] {
        problems.map(\.message) + plugins.compactMap { $0.problem.flatMap { $0.kind == .disabled ? nil : $0.message } }
    }
}
