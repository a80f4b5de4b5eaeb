import ArgumentParser
import PluginHost
import Roost

/// Runs a command that a plugin brought, with the data folder open.
enum PluginCommandRunner {
    static func run(_ name: String, _ arguments: Arguments) -> Int32 {
        let (globals, own) = arguments.split()
        let options: GlobalOptions
        do {
            options = try GlobalOptions.parse(globals)
        } catch {
            Terminal.error(GlobalOptions.message(for: error).isEmpty ? "\(error)" : GlobalOptions.message(for: error))
            return 1
        }
        do {
            return try options.withServer { server in
                guard let command = server.command(name) else {
                    Terminal.error(
                        "Error: unknown command \"\(name)\" for \"roost\": no plugin brings it. See `roost --help` and "
                            + "`roost plugin list`.")
                    return 1
                }
                if own.contains("--help") || own.contains("-h") {
                    Terminal.line(command.usage)
                    return 0
                }
                return command.run(arguments: own)
            }
        } catch {
            Terminal.error("Error: \(error)")
            return 1
        }
    }
}
