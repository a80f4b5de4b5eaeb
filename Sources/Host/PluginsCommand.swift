import ArgumentParser
import JSON
import PluginHost
import Roost

/// `roost plugin …`: what is installed and what of it runs.
struct PluginsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "plugin", abstract: "List, install, check and switch plugins.",
        discussion: "Changes take effect at the next start of the server.",
        subcommands: [
            List.self, Info.self, Install.self, Remove.self, Enable.self, Disable.self, Check.self, CheckChild.self,
        ])

    struct Options: ParsableArguments {
        @OptionGroup var global: GlobalOptions
        @Flag(name: .customLong("json"), help: "Print JSON.")
        var isJSON = false

        var configuration: PluginHostConfiguration {
            var configuration = PluginHostConfiguration(
                dataDirectory: global.dataDirectory, pluginsDirectory: global.pluginsDirectory,
                hostVersion: Program.version)
            configuration.safeMode = global.safeMode
            configuration.retryPlugins = global.retryPlugins
            return configuration
        }

        var operations: PluginOperations { PluginOperations(configuration: configuration) }

        /// Runs an operation and shows the plugin it was about, or the reason why not.
        func show(_ done: String, _ operation: () throws -> PluginStatus?) throws {
            do {
                guard let status = try operation() else {
                    Terminal.line(isJSON ? JSON.object(["done": .string(done)]).serialized() : done)
                    return
                }
                if isJSON { return Terminal.line(status.json.serialized()) }
                Terminal.line(done)
                if let problem = status.problem { Terminal.line(problem.message) }
            } catch let problem as PluginProblem { throw fail(problem) }
        }

        func fail(_ problem: PluginProblem) -> ExitCode {
            if isJSON {
                Terminal.line(
                    JSON.object([
                        "error": ["kind": .string(problem.kind.rawValue), "message": .string(problem.message)]
                    ])
                    .serialized())
            } else {
                Terminal.error(problem.message)
            }
            return ExitCode(1)
        }
    }

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List all plugins and what became of them.")
        @OptionGroup var options: Options

        func run() {
            let report = options.operations.list()
            if options.isJSON {
                return Terminal.line(
                    JSON.object([
                        "plugins": .array(report.plugins.map(\.json)),
                        "problems": .array(report.problems.map { .string($0.message) }),
                    ]).serialized(options: .init(pretty: true)))
            }
            let width = report.plugins.map(\.id.count).max() ?? 0
            for plugin in report.plugins {
                let id = plugin.id + String(repeating: " ", count: width - plugin.id.count)
                Terminal.line("\(id)  \(plugin.version)  \(plugin.state)")
            }
            for line in report.lines { Terminal.error(line) }
        }
    }

    struct Info: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Show all of one plugin.")
        @OptionGroup var options: Options
        @Argument(help: "The plugin's id.") var id: String

        func run() throws {
            do {
                Terminal.line(try options.operations.info(id).json.serialized(options: .init(pretty: !options.isJSON)))
            } catch { throw options.fail(error) }
        }
    }

    struct Install: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Copy a plugin into the plugins folder and enable it.")
        @OptionGroup var options: Options
        @Argument(help: "The plugin's folder, with plugin.json and the library.") var path: String
        @Option(help: "Capabilities to grant, separated by commas.") var grant: String = ""

        func run() throws {
            try options.show("Installed the plugin of \(path).") {
                try options.operations.install(from: path, grants: Capability.parse(grant))
            }
        }
    }

    struct Remove: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Remove an installed plugin; no data is touched.")
        @OptionGroup var options: Options
        @Argument(help: "The plugin's id.") var id: String

        func run() throws {
            try options.show("Removed \(id).") {
                try options.operations.remove(id)
                return nil
            }
        }
    }

    struct Enable: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Let a plugin run.")
        @OptionGroup var options: Options
        @Argument(help: "The plugin's id.") var id: String
        @Option(help: "Capabilities to grant, separated by commas.") var grant: String = ""

        func run() throws {
            try options.show("Enabled \(id).") { try options.operations.enable(id, grants: Capability.parse(grant)) }
        }
    }

    struct Disable: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Keep a plugin from running.")
        @OptionGroup var options: Options
        @Argument(help: "The plugin's id.") var id: String

        func run() throws {
            try options.show("Disabled \(id).") { try options.operations.disable(id) }
        }
    }

    struct Check: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Load a plugin in a process of its own and try all it offers.")
        @OptionGroup var options: Options
        @Argument(help: "The plugin's folder, its plugin.json or its library.") var path: String

        func run() throws {
            let report = PluginCheck.run(path)
            if options.isJSON {
                Terminal.line(report.json.serialized())
            } else {
                for line in report.lines { Terminal.line(line) }
            }
            if !report.passed { throw ExitCode(1) }
        }
    }

    /// The other end of `check`, in its own process.
    struct CheckChild: ParsableCommand {
        static let configuration = CommandConfiguration(commandName: "check-child", shouldDisplay: false)
        @Argument var folder: String
        func run() throws { throw ExitCode(PluginCheck.runChild(folder)) }
    }
}
