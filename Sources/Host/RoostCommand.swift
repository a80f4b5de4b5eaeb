import ArgumentParser

/// The program: `roost serve`, `roost plugin …`, and the commands that plugins bring.
struct RoostCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "roost",
        abstract: "A backend in one process: SQLite with a REST API, made of plugins.",
        discussion: "Plugins add commands of their own, among them `roost superuser`; see `roost plugin list`.",
        version: "roost version \(Program.version)",
        subcommands: [ServeCommand.self, PluginsCommand.self])
}

/// Flags that every command knows, named as PocketBase names them.
struct GlobalOptions: ParsableArguments {
    @Option(name: .customLong("dir"), help: "The data folder.")
    var dataDirectory: String = "pb_data"

    @Option(
        name: .customLong("pluginsDir"),
        help: "The folder of installed plugins (default: pb_plugins beside the data folder).")
    var pluginsDirectory: String?

    @Option(
        name: .customLong("encryptionEnv"),
        help: "The environment variable with the 32 characters that encrypt the settings.")
    var encryptionEnvironment: String = ""

    @Option(name: .customLong("queryTimeout"), help: "Seconds that a query may take.")
    var queryTimeout: Int = 30

    @Option(
        name: .customLong("publicDir"), help: "The folder of static files (default: pb_public beside the data folder).")
    var publicDirectory: String?

    @Option(
        name: .customLong("indexFallback"),
        help: "Whether the public folder's index.html answers for files that are not there.")
    var indexFallback = true

    @Flag(name: .customLong("dev"), help: "Print log lines to the terminal.")
    var isDevelopment = false

    @Flag(name: .customLong("safe-mode"), help: "Load only the plugins that come with roost.")
    var safeMode = false

    @Flag(name: .customLong("retry-plugins"), help: "Load plugins again that crashed an earlier start.")
    var retryPlugins = false
}
