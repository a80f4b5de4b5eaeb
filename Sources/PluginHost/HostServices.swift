package import Engine
internal import Synchronization
package import WebServer

/// What plugins reach of the server, shared by all of them.
///
/// `@unchecked Sendable`: the variables are set while the server starts, on the thread that starts it, before any
/// plugin's `start` and before a second thread exists; afterwards they are only read.
package final class HostServices: @unchecked Sendable {
    package let configuration: PluginHostConfiguration
    /// Records, queries and transactions; functions that need them answer ROOST_EUNSUPPORTED without.
    package var records: (any RecordHost)?
    /// The server's settings; nil before there are any.
    package var settings: (any SettingsHost)?
    /// The files of records; nil where there are none.
    package var files: (any FileHost)?
    /// The jobs that run by the clock, in a server.
    package var crons: CronScheduler?
    /// What operators are told of, in a server.
    package var alerts: Alerts?
    /// Committed changes; nil before the data is open.
    package var changes: ChangeServices?
    /// Runs a request inside the server: on whose behalf, method, target, token, body, and who gets status, content type
    /// and body of the answer.
    package var dispatch:
        (
            @Sendable (
                Request, String, String, String, [UInt8], @escaping @Sendable (Int, String, [UInt8]) -> Void
            ) -> Void
        )?
    /// Runs a function on one of the server's worker threads, or says false when too much is waiting; nil starts a thread
    /// each time.
    package var runOnWorker: (@Sendable (@escaping @Sendable () -> Void) -> Bool)?
    /// Writes a line for the user of a command.
    package var print: @Sendable (_ line: String, _ isError: Bool) -> Void = StandardStreams.print

    /// The registrations of plugins whose `init` went well.
    let accepted = Mutex(Accepted())

    init(configuration: PluginHostConfiguration) { self.configuration = configuration }
}

/// Everything that plugins registered and that counts.
struct Accepted {
    var tables: [String: (table: TablePointer, plugin: String)] = [:]
    var fieldTypes: [String: CFieldType] = [:]
    var routes: [PluginRoute] = []
    var middlewares: [PluginMiddleware] = []
    var hooks: [PluginHook] = []
    var commands: [String: PluginCommand] = [:]
    var jobs: [PluginJob] = []
    var alertListeners: [PluginAlertListener] = []
    var identity: IdentityProvider?
    var changeListener: ChangeListener?
    var authMethods: [String: AuthMethod] = [:]
    /// Plugins that give files out.
    var fileServers: Set<String> = []

    /// Takes a plugin's registrations over.
    mutating func accept(_ registrations: Registrations, of plugin: String) {
        for type in registrations.fieldTypes { fieldTypes[type.id] = type }
        routes += registrations.routes
        middlewares += registrations.middlewares
        hooks += registrations.hooks
        for command in registrations.commands { commands[command.name] = command }
        jobs += registrations.jobs
        alertListeners += registrations.alertListeners
        if let provider = registrations.identity { identity = provider }
        if let listener = registrations.changeListener { changeListener = listener }
        for method in registrations.authMethods { authMethods[method.name] = method }
        if registrations.servesFiles { fileServers.insert(plugin) }
        for (id, table) in registrations.tables { tables[id] = (table, plugin) }
    }

    /// Undoes what a plugin registered.
    mutating func remove(_ plugin: String) {
        fieldTypes = fieldTypes.filter { $0.value.pluginID != plugin }
        routes.removeAll { $0.pluginID == plugin }
        middlewares.removeAll { $0.pluginID == plugin }
        hooks.removeAll { $0.pluginID == plugin }
        commands = commands.filter { $0.value.pluginID != plugin }
        jobs.removeAll { $0.plugin.id == plugin }
        if identity?.pluginID == plugin { identity = nil }
        if changeListener?.plugin.id == plugin { changeListener = nil }
        authMethods = authMethods.filter { $0.value.plugin.id != plugin }
        fileServers.remove(plugin)
        tables = tables.filter { $0.value.plugin != plugin }
    }
}
