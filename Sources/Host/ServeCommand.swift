import ArgumentParser
import Dispatch
import Glibc
import PluginHost
import Roost
import Synchronization
import WebServer

/// `roost serve`
struct ServeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve",
        abstract: "Start the server (at 127.0.0.1:8090 unless told otherwise).")

    @OptionGroup var global: GlobalOptions

    @Option(
        name: .customLong("http"),
        help: "The address to listen on (default: 127.0.0.1:8090, or 0.0.0.0:80 when domains are given).")
    var http: ListenAddress?

    @Option(
        name: .customLong("https"),
        help: "The address to listen on with TLS (default: none, or 0.0.0.0:443 when domains are given).")
    var https: ListenAddress?

    @Option(name: .customLong("origins"), help: "Allowed CORS origins, separated by commas (default: *).")
    var origins: [String] = []

    @Option(name: .customLong("loops"), help: "Event loops (default: one per core).")
    var loops: Int = 0

    @Argument(help: "The domains that the server is reached at, for TLS.")
    var domains: [String] = []

    func validate() throws {
        if loops < 0 { throw ValidationError("--loops cannot be negative.") }
        if https != nil || !domains.isEmpty {
            throw ValidationError(
                "roost does not get certificates by itself: let a reverse proxy terminate TLS, and leave --https and the "
                    + "domains out.")
        }
    }

    mutating func run() throws {
        let address = http ?? ListenAddress("127.0.0.1", 8090)
        var configuration = global.serverConfiguration
        configuration.host = address.host
        configuration.port = address.port
        configuration.loops = loops
        configuration.printsLogs = global.isDevelopment.isOn
        let allowed = origins.flatMap { $0.split(separator: ",").map(String.init) }
        if !allowed.isEmpty { configuration.origins = allowed }
        let running = Mutex<Server?>(nil)
        configuration.restart = { if let server = running.withLock({ $0 }) { Restart.run(server) } }
        let server: Server
        do {
            server = try Server(configuration)
            running.withLock { $0 = server }
        } catch { Program.fail(error) }
        for line in server.report.lines { Terminal.error("Plugin: \(line)") }
        do {
            for line in try server.applyMigrations() { Terminal.error(line) }
            for line in server.warnAboutHooks() { Terminal.error(line) }
            let addresses = try Self.listen(server, at: address)
            let shown = addresses.first.map { "http://\($0)" } ?? "http://\(address.host):\(address.port)"
            Terminal.line("Server started at \(shown)")
            Terminal.line("├─ REST API:  \(shown)/api/")
            Terminal.line("└─ Dashboard: \(shown)/_/")
        } catch {
            server.stop()
            Program.fail(error)
        }
        if !server.hasSuperuser {
            Terminal.line(
                "\n(!) There is no superuser yet. Make one with: roost superuser upsert EMAIL PASSWORD --dir \(configuration.dataDirectory)"
            )
        }
        StartPages.releaseSoon()
        Self.waitForEnd(of: server)
    }

    private struct NotListening: Error, CustomStringConvertible { let description: String }

    private static func listen(_ server: Server, at address: ListenAddress) throws -> [BoundAddress] {
        do {
            return try server.start()
        } catch {
            throw NotListening(
                description: "The server cannot listen on \(address.host):\(address.port): \(error). "
                    + "`roost doctor` looks at the port.")
        }
    }

    /// The first SIGTERM or SIGINT lets running requests finish, a second one ends at once.
    private static func waitForEnd(of server: Server) -> Never {
        signal(SIGTERM, SIG_IGN)
        signal(SIGINT, SIG_IGN)
        let queue = DispatchQueue(label: "roost.signals")
        let first = DispatchSemaphore(value: 0)
        var received = 0
        let sources = [SIGTERM, SIGINT].map { number in
            let source = DispatchSource.makeSignalSource(signal: number, queue: queue)
            source.setEventHandler {
                received += 1
                if received > 1 { _exit(1) }
                first.signal()
            }
            source.resume()
            return source
        }
        // Optimised code lets go of what is not used any more, and a source that is gone hears no signal.
        withExtendedLifetime(sources) {
            first.wait()
            server.stop()
        }
        Glibc.exit(0)
    }
}
