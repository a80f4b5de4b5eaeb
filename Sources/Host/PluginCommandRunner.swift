import ArgumentParser
import Glibc
import PluginHost
import Roost

/// Runs a command that a plugin brought, with the data folder open.
enum PluginCommandRunner {
    static func run(_ name: String, _ arguments: Arguments) -> Int32 {
        let (globals, own) = arguments.split()
        guard let options = try? GlobalOptions.parse(globals) else {
            Terminal.error("Error: the flags of `roost \(name)` are not understood; see `roost --help`.")
            return 64
        }
        do {
            var configuration = try options.serverConfiguration()
            configuration.isServer = false
            let server = try Server(configuration)
            defer { server.stop() }
            guard let command = server.command(name) else {
                Terminal.error(
                    "Error: there is no command \"\(name)\": no plugin brings it. See `roost --help` and `roost plugin list`."
                )
                return 64
            }
            if own.contains("--help") || own.contains("-h") {
                Terminal.line(command.usage)
                return 0
            }
            return command.run(arguments: own)
        } catch {
            Terminal.error("Error: \(error)")
            return 1
        }
    }
}

extension GlobalOptions {
    /// - Throws: a sentence when the encryption key is missing.
    func serverConfiguration() throws -> Server.Configuration {
        var configuration = Server.Configuration(dataDirectory: dataDirectory)
        configuration.pluginsDirectory = pluginsDirectory
        configuration.queryTimeout = queryTimeout
        configuration.safeMode = safeMode
        configuration.retryPlugins = retryPlugins
        configuration.publicDirectory = publicDirectory
        configuration.indexFallback = indexFallback
        if !encryptionEnvironment.isEmpty, let value = getenv(encryptionEnvironment) {
            configuration.encryptionKey = String(cString: value)
        }
        return configuration
    }
}
