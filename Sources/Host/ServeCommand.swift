import ArgumentParser
import Dispatch
import Glibc
import PluginHost
import Roost
import WebServer

/// `roost serve`
struct ServeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "serve", abstract: "Start the server.")

    @OptionGroup var global: GlobalOptions

    @Option(name: .customLong("http"), help: "The address to listen on.")
    var http: String = "127.0.0.1:8090"

    @Option(name: .customLong("origins"), help: "Allowed CORS origins, separated by commas.")
    var origins: String = "*"

    @Option(name: .customLong("loops"), help: "Event loops (default: one per core).")
    var loops: Int = 0

    mutating func run() throws {
        guard let colon = http.lastIndex(of: ":"), let port = Int(http[http.index(after: colon)...]),
            (0...65535).contains(port)
        else { throw ValidationError("--http needs an address such as 127.0.0.1:8090, not \"\(http)\".") }
        var configuration = try global.serverConfiguration()
        configuration.host = String(http[..<colon])
        configuration.port = port
        configuration.loops = loops
        configuration.origins = origins.split(separator: ",").map(String.init)
        let server: Server
        do {
            server = try Server(configuration)
        } catch { Program.fail(error) }
        for line in server.report.lines { Terminal.error("Plugin: \(line)") }
        do {
            let addresses = try server.start()
            let shown = addresses.first.map { "http://\($0)" } ?? "http://\(http)"
            Terminal.line("Server started at \(shown)")
            Terminal.line("├─ REST API:  \(shown)/api/")
            Terminal.line("└─ Dashboard: \(shown)/_/")
        } catch { Program.fail(error) }
        if !server.hasSuperuser {
            Terminal.line(
                "\n(!) There is no superuser yet. Make one with: roost superuser upsert EMAIL PASSWORD --dir \(configuration.dataDirectory)"
            )
        }
        Self.waitForEnd(of: server)
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
