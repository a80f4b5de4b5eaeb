import ArgumentParser
import JSON
import Roost

/// `roost doctor`
struct DoctorCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor", abstract: "Look for what is wrong, and say what to do about it.",
        discussion: "Changes nothing. Exits with 1 when something does not work; warnings alone leave it at 0.")

    @OptionGroup var global: GlobalOptions
    @Option(name: .customLong("http"), help: "The address that the server is to listen on.")
    var http: ListenAddress?
    @Flag(name: .customLong("json"), help: "Print JSON.") var isJSON = false

    func run() throws {
        let address = http ?? ListenAddress("127.0.0.1", 8090)
        var configuration = global.serverConfiguration
        configuration.host = address.host
        configuration.port = address.port
        let findings = Doctor(configuration).examine()
        let errors = findings.filter { $0.state == .error }.count
        let warnings = findings.filter { $0.state == .warning }.count
        if isJSON {
            let report: JSON = [
                "healthy": .bool(errors == 0), "errors": .number(Double(errors)),
                "warnings": .number(Double(warnings)), "findings": .array(findings.map(\.json)),
            ]
            Terminal.line(report.serialized(options: .init(pretty: true)))
        } else {
            for finding in findings {
                Terminal.line("\(Self.mark(finding.state)) \(finding.check): \(finding.message)")
                if !finding.advice.isEmpty { Terminal.line("        -> \(finding.advice)") }
            }
            Terminal.line("\n\(errors) errors, \(warnings) warnings.")
        }
        if errors > 0 { throw ExitCode(1) }
    }

    private static func mark(_ state: Finding.State) -> String {
        switch state {
        case .ok: "ok     "
        case .warning: "warning"
        case .error: "ERROR  "
        }
    }
}
