import ArgumentParser
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

    @Option(
        name: .customLong("cert"),
        help: "The certificate for TLS, with its chain, in PEM form (default: _roost_tls/cert.pem in the data folder).")
    var certificate: String?

    @Option(
        name: .customLong("key"),
        help: "The certificate's private key in PEM form (default: _roost_tls/key.pem in the data folder).")
    var key: String?

    @Option(name: .customLong("origins"), help: "Allowed CORS origins, separated by commas (default: *).")
    var origins: [String] = []

    @Option(name: .customLong("loops"), help: "Event loops (default: one per core).")
    var loops: Int = 0

    @Argument(help: "The domains that the server is reached at, for TLS.")
    var domains: [String] = []

    func validate() throws {
        if loops < 0 { throw ValidationError("--loops cannot be negative.") }
        if (certificate == nil) != (key == nil) { throw ValidationError("--cert and --key go together.") }
        if certificate != nil, !isEncrypted {
            throw ValidationError("--cert and --key are for --https, or for domains.")
        }
    }

    private var isEncrypted: Bool { https != nil || !domains.isEmpty }

    mutating func run() throws {
        EndSignals.block(withHangup: isEncrypted)
        var configuration = global.serverConfiguration
        let plain = http ?? (domains.isEmpty ? ListenAddress("127.0.0.1", 8090) : ListenAddress("0.0.0.0", 80))
        let address = isEncrypted ? https ?? ListenAddress("0.0.0.0", 443) : plain
        configuration.host = address.host
        configuration.port = address.port
        if isEncrypted {
            do {
                var encryption = Server.Encryption(certificate: try readCertificate(configuration.dataDirectory))
                encryption.domains = domains
                encryption.redirects = (plain.host, plain.port)
                configuration.encryption = encryption
            } catch { Program.fail(error) }
        }
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
            let shown = shownAddress(addresses.first?.description ?? "\(address.host):\(address.port)")
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
        EndSignals.wait(for: server)
    }

    /// The certificate that was named, or the one in the data folder.
    private func readCertificate(_ dataDirectory: String) throws -> TLSCertificate {
        let folder = dataDirectory + "/_roost_tls"
        do throws(TLSCertificate.Failure) {
            return try TLSCertificate(
                certificate: certificate ?? folder + "/cert.pem", key: key ?? folder + "/key.pem", domains: domains)
        } catch {
            guard certificate == nil else { throw error }
            throw NotListening(
                description:
                    "\(error) Roost does not get certificates from an authority by itself: give the files that "
                    + "certbot or another ACME client keeps, with --cert and --key.")
        }
    }

    private func shownAddress(_ address: String) -> String {
        guard isEncrypted else { return "http://\(address)" }
        guard let domain = domains.first else { return "https://\(address)" }
        let port = address.split(separator: ":").last.map(String.init) ?? "443"
        return "https://\(domain)\(port == "443" ? "" : ":" + port)"
    }

    private struct NotListening: Error, CustomStringConvertible { let description: String }

    private static func listen(_ server: Server, at address: ListenAddress) throws -> [BoundAddress] {
        do {
            return try server.start()
        } catch let error as Server.RedirectFailure {
            throw error
        } catch {
            throw NotListening(
                description: "The server cannot listen on \(address.host):\(address.port): \(error). "
                    + "`roost doctor` looks at the port.")
        }
    }
}
