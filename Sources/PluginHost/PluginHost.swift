package import Engine
internal import Glibc
internal import PluginABI
internal import Synchronization

/// The plugins of a server: finds, loads, starts and stops them, and holds what they registered.
///
/// Order of use, on one thread: `load()` (brings the field types), open the data with `fieldTypes`, set
/// `services.records` and the like, `start()`, mount `routes`, `middlewares`, `hooks`; at the end `stop()`.
package final class PluginHost: Sendable {
    package let configuration: PluginHostConfiguration
    /// What plugins reach of the server; to be filled in between `load()` and `start()`.
    package let services: HostServices

    private struct State {
        var candidates: [PluginCandidate] = []
        var loaded: [LoadedPlugin] = []
        var problems: [PluginProblem] = []
    }
    private let state = Mutex(State())

    package init(configuration: PluginHostConfiguration) {
        self.configuration = configuration
        services = HostServices(configuration: configuration)
    }

    /// Finds plugins and loads those that may be. Never fails as a whole: what does not load is named in the report.
    @discardableResult
    package func load() -> PluginReport {
        let sentinel = StartSentinel(dataDirectory: configuration.dataDirectory, retries: configuration.retryPlugins)
        let catalog = PluginCatalog(configuration: configuration) { sentinel.problem(with: $0) }
        let loader = PluginLoader(services: services, sentinel: sentinel)
        var candidates = catalog.candidates
        var loaded: [LoadedPlugin] = []
        for index in candidates.indices where candidates[index].problem == nil {
            if let problem = unmetRequirement(of: candidates[index], among: candidates) {
                candidates[index].problem = problem
                continue
            }
            do {
                loaded.append(try loader.load(candidates[index]))
            } catch {
                candidates[index].problem = error
            }
        }
        state.withLock { state in
            state.candidates = candidates
            state.loaded = loaded
            state.problems = catalog.problems
        }
        return report
    }

    /// Hands the jobs that plugins registered to the scheduler. One whose id is taken already is named in the log.
    private func addJobs() {
        guard let crons = services.crons else { return }
        for job in services.accepted.withLock({ $0.jobs }) where !crons.add(job.job) {
            job.plugin.log(8, "The cron job \"\(job.id)\" was left out: the server has one of that id.")
        }
    }

    private func addAlertListeners() {
        guard let alerts = services.alerts else { return }
        for listener in services.accepted.withLock({ $0.alertListeners }) { alerts.listen(listener.tell) }
    }

    /// Connects the plugin that listens to changes with the data; before `start()`.
    package func listenToChanges() {
        guard let changes = services.changes else { return }
        services.accepted.withLock { $0.changeListener }?.start(changes)
    }

    /// Starts what was loaded. All that plugins may reach must be there.
    @discardableResult
    package func start() -> PluginReport {
        let sentinel = StartSentinel(dataDirectory: configuration.dataDirectory, retries: configuration.retryPlugins)
        let loader = PluginLoader(services: services, sentinel: sentinel)
        addJobs()
        addAlertListeners()
        for plugin in state.withLock({ $0.loaded }) where plugin.phase == .waiting {
            do {
                try loader.start(plugin)
            } catch {
                services.crons?.removeAll(of: plugin.id)
                state.withLock { state in
                    if let index = state.candidates.firstIndex(where: { $0.folder == plugin.candidate.folder }) {
                        state.candidates[index].problem = error
                    }
                }
            }
        }
        return report
    }

    /// Tells the plugins, last loaded first, that the process ends. No call into a plugin may be running.
    package func stop() {
        for plugin in state.withLock({ $0.loaded }).reversed() {
            let phase = plugin.phase
            guard phase == .running || phase == .waiting else { continue }
            plugin.phase = .stopped
            plugin.descriptor.pointee.stop?(plugin.instance)
        }
    }

    /// The field types of the loaded plugins.
    package var fieldTypes: FieldTypeRegistry {
        var registry = FieldTypeRegistry()
        for type in services.accepted.withLock({ $0.fieldTypes.values.sorted { $0.id < $1.id } }) {
            _ = registry.register(type)
        }
        return registry
    }

    package var routes: [PluginRoute] { services.accepted.withLock { $0.routes } }
    /// In ascending order of priority; equal ones in the order of loading.
    package var middlewares: [PluginMiddleware] {
        stable(services.accepted.withLock { $0.middlewares }, by: \.priority)
    }
    /// In ascending order of priority; equal ones in the order of loading.
    package var hooks: [PluginHook] { stable(services.accepted.withLock { $0.hooks }, by: \.priority) }
    package var commands: [PluginCommand] {
        services.accepted.withLock { $0.commands.values.sorted { $0.name < $1.name } }
    }
    /// Whether a plugin gives stored files out.
    package var servesFiles: Bool { services.accepted.withLock { !$0.fileServers.isEmpty } }
    /// The loaded plugin of an id.
    func loadedPlugin(_ id: String) -> LoadedPlugin? { state.withLock { $0.loaded.first { $0.id == id } } }
    package var identity: IdentityProvider? { services.accepted.withLock { $0.identity } }

    /// What became of each plugin, those loaded first in their order.
    package var plugins: [PluginStatus] {
        let (candidates, loaded) = state.withLock { ($0.candidates, $0.loaded) }
        return candidates.map { candidate in
            let plugin = loaded.first { $0.candidate.folder == candidate.folder }
            return PluginStatus(candidate, isLoaded: candidate.problem == nil && plugin != nil, memory: plugin?.memory)
        }
    }

    package var report: PluginReport {
        PluginReport(plugins: plugins, problems: state.withLock { $0.problems })
    }

    /// A plugin whose requirements failed to load must not run without them.
    private func unmetRequirement(of candidate: PluginCandidate, among all: [PluginCandidate]) -> PluginProblem? {
        guard let manifest = candidate.manifest else { return candidate.problem }
        let tables = services.accepted.withLock { Set($0.tables.keys) }
        for id in manifest.requiredPlugins where all.contains(where: { $0.id == id && $0.problem != nil }) {
            if all.contains(where: { $0.id == id && $0.problem == nil }) { continue }
            return PluginProblem(
                .requirement,
                "\(candidate.id) needs the plugin \(id), which is not running; see its own line for the reason.")
        }
        for table in manifest.requiredTables where HostABI.tables[table] == nil && !tables.contains(table) {
            return PluginProblem(
                .requirement,
                "\(candidate.id) needs the table \"\(table)\", whose plugin did not offer it; see that plugin's line.")
        }
        return nil
    }

    private func stable<Item>(_ items: [Item], by key: (Item) -> Int) -> [Item] {
        items.enumerated().sorted { (key($0.element), $0.offset) < (key($1.element), $1.offset) }.map(\.element)
    }
}
