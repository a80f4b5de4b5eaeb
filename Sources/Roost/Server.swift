import API
package import Engine
import JSON
package import PluginHost
import Store
package import WebServer
import Synchronization

/// A whole Roost: plugins, data folder, routes and the HTTP server, put together from the rooms below.
///
/// ```swift
/// let server = try Server(Server.Configuration(dataDirectory: "pb_data"))
/// print(try server.start())
/// ```
package final class Server: Sendable {
    /// The version of the program, also told to plugins.
    package static let version = "0.1.0"

    package struct Configuration: Sendable {
        package var dataDirectory: String
        /// nil: `pb_plugins` beside the data folder.
        package var pluginsDirectory: String?
        /// nil: `plugins` beside the running program.
        package var bundledDirectory: String?
        package var host = "127.0.0.1"
        /// 0 takes a free port.
        package var port = 8090
        package var origins = ["*"]
        /// Event loops; 0 for one per core.
        package var loops = 0
        /// Encrypts connections; nil for plain ones.
        package var encryption: Encryption?
        package var encryptionKey: String?
        /// Seconds.
        package var queryTimeout = 30
        /// False for a command, which may run beside a server on the same folder.
        package var isServer = true
        /// nil: `pb_migrations` beside the data folder.
        package var migrationsDirectory: String?
        /// Whether a migration is written for each change of a collection by a request.
        package var automigrates = false
        /// nil: `pb_hooks` beside the data folder.
        package var hooksDirectory: String?
        package var safeMode = false
        package var retryPlugins = false
        /// The folder of the static files; nil: `pb_public` beside the data folder.
        package var publicDirectory: String?
        /// Whether its `index.html` answers for files that are not there.
        package var indexFallback = true
        /// Whether log lines and SQL are printed.
        package var printsLogs = false
        /// Starts the program anew after this server was stopped, as a restore of a backup needs; nil where nobody can.
        package var restart: (@Sendable () -> Void)?

        package init(dataDirectory: String) { self.dataDirectory = dataDirectory }
    }

    /// How connections are encrypted.
    package struct Encryption: Sendable {
        package var certificate: TLSCertificate
        /// Names of the server. Requests to `www.` before one that is not listed itself are sent on to it.
        package var domains: [String] = []
        /// Where plain requests are taken to be sent on to the encrypted listener; nil for nowhere.
        package var redirects: (host: String, port: Int)?

        package init(certificate: TLSCertificate) { self.certificate = certificate }
    }

    /// A sentence for the operator.
    package struct RedirectFailure: Error, CustomStringConvertible {
        package let description: String
    }

    package let configuration: Configuration
    package let plugins: PluginHost
    package let engine: Engine
    package let report: PluginReport
    private let services: Services
    /// The server, and the one that sends plain requests on to it.
    private let web = Mutex<[WebServer]>([])

    /// Loads the plugins and opens the data folder; nothing is served yet.
    /// - Throws: a sentence for the operator.
    package init(_ configuration: Configuration) throws {
        self.configuration = configuration
        try Folder.make(configuration.dataDirectory)
        let lock = try Self.lock(configuration)
        let recovery = try Self.recover(configuration, hasFolder: lock != nil)
        let logs = LateLog()
        var hostConfiguration = PluginHostConfiguration(
            dataDirectory: configuration.dataDirectory, pluginsDirectory: configuration.pluginsDirectory,
            bundledDirectory: configuration.bundledDirectory ?? PluginHostConfiguration.besideExecutable(),
            hostVersion: Self.version,
            log: { level, plugin, message, data in logs.write(level, plugin, message, data) })
        hostConfiguration.safeMode = configuration.safeMode
        hostConfiguration.retryPlugins = configuration.retryPlugins
        plugins = PluginHost(configuration: hostConfiguration)
        plugins.load()
        var engineConfiguration = Engine.Configuration(dataDirectory: configuration.dataDirectory)
        engineConfiguration.encryptionKey = configuration.encryptionKey
        engineConfiguration.queryTimeout = configuration.queryTimeout
        if configuration.printsLogs { engineConfiguration.printer = LogPrinter() }
        engineConfiguration.checkpoints = lock != nil
        engineConfiguration.automigrations = configuration.automigrates ? configuration.migrationsFolder : nil
        engineConfiguration.authMethodFailures = { [plugins] in plugins.authMethodFailures($0, $1) }
        let engine = try Engine(
            configuration: engineConfiguration, fieldTypes: plugins.fieldTypes, hooks: HookRegistry(), lock: lock)
        self.engine = engine
        logs.use(engine.logs)
        if let recovery { engine.logs.write(.info, recovery) }
        services = Services(
            engine: engine, identities: IdentityCache(engine: engine),
            thumbs: ThumbServer(engine: engine, maker: plugins.thumbMaker))
        plugins.services.records = EngineRecordHost(engine: engine)
        plugins.services.settings = EngineSettingsHost(engine: engine)
        plugins.services.crons = engine.crons
        plugins.services.alerts = engine.alerts
        plugins.services.files = EngineFileHost(engine: engine)
        engine.files.acceptsUploads = plugins.servesFiles
        plugins.services.changes = ChangeServices(engine: engine, identities: services.identities)
        plugins.services.runOnWorker = { job in engine.workers.run(job) }
        plugins.listenToChanges()
        report = plugins.start()
        try engine.useFileStorage(plugins.fileStorage)
    }

    /// The right to the folder. A command may work beside a server that has it; a second server may not.
    private static func lock(_ configuration: Configuration) throws -> DirectoryLock? {
        do throws(StoreError) {
            return try DirectoryLock(configuration.dataDirectory)
        } catch {
            if error.isBusy && !configuration.isServer { return nil }
            throw error
        }
    }

    /// Finishes a restore that was decided before this start.
    /// - Returns: words for the log.
    private static func recover(_ configuration: Configuration, hasFolder: Bool) throws -> String? {
        if hasFolder { return try BackupService.recover(configuration.dataDirectory) }
        guard !BackupService.isRestoring(configuration.dataDirectory) else {
            throw Folder.Failure(
                description: "A backup is being restored into this folder; try again when that is over.")
        }
        return nil
    }

    /// Serves.
    /// - Returns: the addresses it listens on.
    @discardableResult
    package func start() throws -> [BoundAddress] {
        let router = Router()
        if let domains = configuration.encryption?.domains, !domains.isEmpty {
            router.use(SecureRedirect.withoutWWW(domains))
        }
        router.use(corsMiddleware(origins: configuration.origins))
        router.use(services.gate())
        PluginMount(services: services, host: plugins).mount(on: router)
        HealthRoutes(services: services).mount(on: router)
        RecordRoutes(services: services).mount(on: router)
        CollectionRoutes(services: services).mount(on: router)
        SettingsRoutes(services: services).mount(on: router)
        BatchRoutes(services: services).mount(on: router)
        LogRoutes(services: services).mount(on: router)
        CronRoutes(services: services).mount(on: router)
        SQLRoutes(services: services).mount(on: router)
        if !plugins.routes.contains(where: { $0.path.hasPrefix("/_/") }) {
            DashboardPlaceholder(services: services).mount(on: router)
        }
        BackupRoutes(services: services, restart: configuration.restart).mount(on: router)
        let publicDirectory = configuration.publicDirectory ?? Folder.beside(configuration.dataDirectory, "pb_public")
        StaticFiles(services: services, root: publicDirectory, indexFallback: configuration.indexFallback)
            .mount(on: router)
        var options = WebServerConfiguration()
        options.host = configuration.host
        options.port = configuration.port
        options.loops = configuration.loops
        if let encryption = configuration.encryption { options.use(encryption.certificate) }
        options.prepareLoop = { ThreadLoans.neverWait() }
        options.errorResponse = Services.errorResponse
        options.onResponse = { [services] request, status, _, duration in services.log(request, status, duration) }
        let server = WebServer(configuration: options, router: router)
        let routes = server.routes
        plugins.services.dispatch = { parent, method, target, token, body, done in
            InternalRequest.dispatch(parent, method, target, token, body, on: routes, done)
        }
        let addresses = try server.start()
        web.withLock { $0 = [server] }
        if let redirects = configuration.encryption?.redirects {
            try redirect(from: redirects, to: addresses.first?.port ?? configuration.port)
        }
        engine.logs.removeOld()
        engine.crons.start()
        return addresses
    }

    /// Listens for plain requests, which are sent on to the encrypted listener.
    private func redirect(from address: (host: String, port: Int), to port: Int) throws {
        var options = WebServerConfiguration()
        options.host = address.host
        options.port = address.port
        options.loops = 1
        let server = WebServer(configuration: options, router: SecureRedirect.router(to: port))
        do {
            try server.start()
        } catch {
            throw RedirectFailure(
                description:
                    "The server cannot listen on \(address.host):\(address.port), where plain requests are sent on "
                    + "to HTTPS: \(error). Another address can be given with --http.")
        }
        web.withLock { $0.append(server) }
    }

    /// Takes the certificate from its files again when they have changed, and logs what came of it. Blocks.
    package func reloadCertificate() {
        guard let certificate = configuration.encryption?.certificate else { return }
        switch certificate.reloadIfChanged() {
        case .unchanged: break
        case .reloaded:
            engine.logs.write(.info, "The certificate was read again.", ["path": .string(certificate.certificate)])
        case .failed(let failure):
            engine.logs.write(
                .error, "The changed certificate cannot be used; the one before stays in force.",
                ["error": .string(failure.description)])
        }
    }

    /// Finishes what is running and closes everything.
    /// - Parameter drainSeconds: how long running requests may still take.
    package func stop(drainSeconds: Double = 10) {
        let servers = web.withLock { web in
            defer { web = [] }
            return web
        }
        for server in servers.reversed() { server.stop(drainSeconds: drainSeconds) }
        engine.backups.stop()
        engine.crons.stop()
        engine.alerts.stop()
        // Nothing calls a plugin any more when it is told to stop.
        engine.hooks.changes.feed?.stop()
        if engine.workers.stop(seconds: 5) {
            plugins.stop()
        } else {
            engine.logs.write(.warn, "Work of plugins was still running at the end; they were not told of it.")
        }
        engine.close()
    }
}

/// Where plugins' log lines go before the log is open, and after.
private final class LateLog: Sendable {
    private let logs = Mutex<LogWriter?>(nil)

    func use(_ writer: LogWriter) { logs.withLock { $0 = writer } }

    func write(_ level: Int, _ plugin: String, _ message: String, _ data: JSONObject) {
        guard let writer = logs.withLock({ $0 }) else {
            return PluginHostConfiguration.logToStandardError(level, plugin, message, data)
        }
        var data = data
        data["plugin"] = .string(plugin)
        let entry: LogEntry.Level = level >= 8 ? .error : level >= 4 ? .warn : level >= 0 ? .info : .debug
        writer.write(entry, message, data)
    }
}
