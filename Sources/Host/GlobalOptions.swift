import ArgumentParser
import Glibc
import Roost

/// Flags that every command knows, named as PocketBase names them.
struct GlobalOptions: ParsableArguments {
    @Option(name: .customLong("dir"), help: "The data folder.")
    var dataDirectory: String = Self.besideProgram("pb_data")

    @Option(
        name: .customLong("encryptionEnv"),
        help: "The environment variable with the 32 characters that encrypt the settings (default: none).")
    var encryptionEnvironment: String = ""

    @Option(name: .customLong("dev"), help: "Print log lines and SQL to the terminal.")
    var isDevelopment: Switch = false

    @Option(name: .customLong("queryTimeout"), help: "Seconds that a query may take.")
    var queryTimeout: Int = 30

    @Option(
        name: .customLong("hooksDir"),
        help: "The folder of JavaScript hooks, for a scripting plugin (default: pb_hooks beside the data folder).")
    var hooksDirectory: String = ""

    @Option(name: .customLong("hooksPool"), help: "Hook engines to hold ready, for a scripting plugin.")
    var hooksPool: Int = 15

    @Option(name: .customLong("hooksWatch"), help: "Read changed hooks again, for a scripting plugin.")
    var watchesHooks: Switch = true

    @Option(
        name: .customLong("migrationsDir"),
        help: "The folder of migrations (default: pb_migrations beside the data folder).")
    var migrationsDirectory: String = ""

    @Option(
        name: .customLong("automigrate"), help: "Write a migration for each change of a collection by a request.")
    var automigrates: Switch = true

    @Option(
        name: .customLong("publicDir"), help: "The folder of static files (default: pb_public beside the data folder).")
    var publicDirectory: String?

    @Option(
        name: .customLong("indexFallback"), help: "Answer missing static files with index.html, for one-page apps.")
    var fallsBackToIndex: Switch = true

    @Option(
        name: .customLong("pluginsDir"),
        help: "The folder of installed plugins (default: pb_plugins beside the data folder).")
    var pluginsDirectory: String?

    @Flag(name: .customLong("safe-mode"), help: "Load only the plugins that come with roost.")
    var safeMode = false

    @Flag(name: .customLong("retry-plugins"), help: "Load plugins again that crashed an earlier start.")
    var retryPlugins = false

    /// A path beside the program as it was called, as PocketBase has its defaults: beside `/srv/app/roost` when that was
    /// typed, in the current folder when the shell found `roost` by itself.
    static func besideProgram(_ name: String) -> String {
        let program = CommandLine.arguments.first ?? ""
        guard let slash = program.lastIndex(of: "/") else { return "./" + name }
        return program[...slash] + name
    }

    func validate() throws {
        if hooksPool < 0 { throw ValidationError("--hooksPool cannot be negative.") }
        if encryptionEnvironment.contains("=") {
            throw ValidationError("--encryptionEnv is the name of a variable, without its value.")
        }
    }

    var serverConfiguration: Server.Configuration {
        var configuration = Server.Configuration(dataDirectory: dataDirectory)
        configuration.pluginsDirectory = pluginsDirectory
        configuration.queryTimeout = queryTimeout > 0 ? queryTimeout : 30
        configuration.safeMode = safeMode
        configuration.retryPlugins = retryPlugins
        configuration.hooksDirectory = hooksDirectory.isEmpty ? nil : hooksDirectory
        configuration.migrationsDirectory = migrationsDirectory.isEmpty ? nil : migrationsDirectory
        configuration.automigrates = automigrates.isOn
        configuration.publicDirectory = publicDirectory
        configuration.indexFallback = fallsBackToIndex.isOn
        if !encryptionEnvironment.isEmpty, let value = getenv(encryptionEnvironment) {
            configuration.encryptionKey = String(cString: value)
        }
        return configuration
    }

    /// Opens the data folder for a command, which may run beside a server on the same folder.
    func withServer<T>(_ body: (Server) throws -> T) throws -> T {
        var configuration = serverConfiguration
        configuration.isServer = false
        let server = try Server(configuration)
        defer { server.stop() }
        return try body(server)
    }
}

/// The value of a flag that is on or off, in any spelling that PocketBase takes.
struct Switch: ExpressibleByArgument, ExpressibleByBooleanLiteral, CustomStringConvertible {
    let isOn: Bool

    init(booleanLiteral value: Bool) { isOn = value }

    init?(argument: String) {
        switch argument {
        case "1", "t", "T", "true", "TRUE", "True": isOn = true
        case "0", "f", "F", "false", "FALSE", "False": isOn = false
        default: return nil
        }
    }

    var description: String { isOn ? "true" : "false" }
    var defaultValueDescription: String { description }
    static var allValueStrings: [String] { ["true", "false"] }
}
