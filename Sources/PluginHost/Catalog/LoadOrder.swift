/// Orders plugins so that each comes after those it needs, and refuses those whose needs cannot be met.
enum LoadOrder {
    /// - Returns: the loadable ones in order, then the refused ones by id.
    static func arrange(_ found: [PluginCandidate]) -> [PluginCandidate] {
        var found = found
        // Refusing one may leave another without what it needs, so until nothing changes.
        while refuseUnmet(&found) {}
        refuseCycles(&found)
        while refuseUnmet(&found) {}

        let graph = Graph(found)
        var order: [Int] = []
        var waiting = found.indices.filter { found[$0].problem == nil }
            .sorted { found[$0].id.utf8.lexicographicallyPrecedes(found[$1].id.utf8) }
        while !waiting.isEmpty {
            let isPlaced = { (index: Int) in order.contains(index) }
            // What is only optional gives way when it would make a circle.
            let next =
                waiting.firstIndex { (graph.hard[$0] + graph.soft[$0]).allSatisfy(isPlaced) }
                ?? waiting.firstIndex { graph.hard[$0].allSatisfy(isPlaced) } ?? 0
            order.append(waiting.remove(at: next))
        }
        let refused = found.indices.filter { found[$0].problem != nil }
            .sorted { found[$0].id.utf8.lexicographicallyPrecedes(found[$1].id.utf8) }
        return (order + refused).map { found[$0] }
    }

    /// Who needs whom, by index.
    private struct Graph {
        var hard: [[Int]] = []
        var soft: [[Int]] = []

        init(_ found: [PluginCandidate]) {
            var byID: [String: Int] = [:]
            var byTable: [String: Int] = [:]
            for index in found.indices where found[index].problem == nil {
                byID[found[index].id] = index
                for table in found[index].manifest?.offeredTables ?? [] { byTable[table] = index }
            }
            for index in found.indices {
                guard found[index].problem == nil, let manifest = found[index].manifest else {
                    hard.append([])
                    soft.append([])
                    continue
                }
                hard.append(
                    manifest.requiredPlugins.compactMap { byID[$0] }
                        + manifest.requiredTables.compactMap { byTable[$0] })
                soft.append(manifest.optionalTables.compactMap { byTable[$0] })
            }
        }
    }

    /// - Returns: whether another one was refused.
    private static func refuseUnmet(_ found: inout [PluginCandidate]) -> Bool {
        let running = found.filter { $0.problem == nil }
        let ids = Set(running.map(\.id))
        let tables = Set(running.flatMap { $0.manifest?.offeredTables ?? [] }).union(HostABI.tables.keys)
        var changed = false
        for index in found.indices {
            guard found[index].problem == nil, let manifest = found[index].manifest else { continue }
            let id = found[index].id
            if let missing = manifest.requiredPlugins.first(where: { !ids.contains($0) }) {
                let refused = found.contains { $0.id == missing }
                found[index].problem = PluginProblem(
                    .requirement,
                    refused
                        ? "\(id) needs the plugin \(missing), which is not running; see its own line for the reason."
                        : "\(id) needs the plugin \(missing), which is not there; install it first.")
            } else if let missing = manifest.requiredTables.first(where: { !tables.contains($0) }) {
                let offerer = found.first { $0.problem != nil && $0.manifest?.offeredTables.contains(missing) == true }
                let advice =
                    offerer.map { "\($0.id) offers it but is not running" }
                    ?? "install a plugin that offers it, or a newer server"
                found[index].problem = PluginProblem(
                    .requirement, "\(id) needs the table \"\(missing)\", which nobody offers; \(advice).")
            } else {
                continue
            }
            changed = true
        }
        return changed
    }

    /// Refuses all members of a circle of needs, naming it.
    private static func refuseCycles(_ found: inout [PluginCandidate]) {
        let graph = Graph(found)
        var isDone = [Bool](repeating: false, count: found.count)
        var path: [Int] = []

        func visit(_ index: Int) {
            if let start = path.firstIndex(of: index) {
                let circle = Array(path[start...])
                let names = (circle + [index]).map { found[$0].id }.joined(separator: " → ")
                for member in circle where found[member].problem == nil {
                    found[member].problem = PluginProblem(
                        .requirement,
                        "\(found[member].id) is part of a circle of requirements (\(names)); remove one of them.")
                }
                return
            }
            if isDone[index] { return }
            path.append(index)
            for next in graph.hard[index] { visit(next) }
            path.removeLast()
            isDone[index] = true
        }
        for index in found.indices where found[index].problem == nil { visit(index) }
    }
}
