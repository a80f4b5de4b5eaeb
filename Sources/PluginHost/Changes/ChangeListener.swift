package import Engine
internal import PluginABI
internal import Store
internal import Synchronization

/// What plugins reach of changes: the engine's feed and log, and whose tokens are whose.
package final class ChangeServices: Sendable {
    let engine: Engine
    let identities: IdentityCache

    package init(engine: Engine, identities: IdentityCache) {
        self.engine = engine
        self.identities = identities
    }

    var show: ChangeShow { ChangeShow(schema: engine.schema, hooks: engine.hooks, plans: engine.plans) }
}

/// The plugin that listens to changes. One for a server: the feed has one reader, who groups for all.
final class ChangeListener: Sendable {
    let plugin: LoadedPlugin
    private let user: UInt
    private let changed: roost_changes_handler
    private let schemaChanged: roost_changes_job?
    private let lost: roost_changes_job?
    private let feed = Mutex<ChangeFeed?>(nil)

    init?(_ plugin: LoadedPlugin, _ raw: roost_changes_listener_v1) {
        guard let changed = raw.changed else { return nil }
        self.plugin = plugin
        self.changed = changed
        user = UInt(bitPattern: raw.user)
        schemaChanged = raw.schema_changed
        lost = raw.lost
    }

    /// Connects the plugin to the engine.
    func start(_ services: ChangeServices) {
        let engine = services.engine
        let feed = ChangeFeed(
            engine.data,
            handler: { [self] changes in tell(changes) },
            lost: { [self] in call(lost) })
        self.feed.withLock { $0 = feed }
        engine.hooks.changes.use(feed)
        if let schemaChanged {
            engine.onSchemaChange { [self] in feed.run { self.call(schemaChanged) } }
        }
    }

    func want(_ collections: Set<String>, _ services: ChangeServices) {
        guard let feed = feed.withLock({ $0 }) else { return }
        let isMore = feed.want(collections)
        services.engine.hooks.changes.refresh()
        // A transaction that is running has not gathered what was not wanted when it began. Who reads the log after this
        // finds its changes there, and those of later ones are told.
        if isMore { _ = try? services.engine.data.writeAndWait { _ in } }
    }

    /// - Returns: false before the plugins have started.
    func run(_ job: @escaping roost_changes_job, _ user: UInt) -> Bool {
        guard let feed = feed.withLock({ $0 }) else { return false }
        feed.run { [self] in
            ThreadRole.with(.worker) {
                withCall(plugin) { call in job(UnsafeMutableRawPointer(bitPattern: user), call.pointer) }
            }
        }
        return true
    }

    private func call(_ job: roost_changes_job?) {
        guard let job else { return }
        ThreadRole.with(.worker) {
            withCall(plugin) { call in job(UnsafeMutableRawPointer(bitPattern: user), call.pointer) }
        }
    }

    private func tell(_ changes: [DetailedChange]) {
        ThreadRole.with(.worker) {
            withCall(plugin) { call in
                let raw = changes.map { ChangesTable.lend($0, call) }
                raw.withUnsafeBufferPointer {
                    changed(UnsafeMutableRawPointer(bitPattern: user), call.pointer, $0.baseAddress, UInt64($0.count))
                }
            }
        }
    }
}
