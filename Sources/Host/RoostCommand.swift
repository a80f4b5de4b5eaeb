import ArgumentParser

/// The program: its own commands, and those that plugins bring.
struct RoostCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "roost",
        abstract: "A backend in one process: SQLite with a REST API, made of plugins.",
        discussion: """
            Plugins add commands of their own; see `roost plugin list`. A command exits with 0 when it did what it says, \
            and with 1 otherwise. All may be used while a server runs on the same data folder.
            """,
        version: "roost version \(Program.version)",
        subcommands: [
            ServeCommand.self, SuperuserCommand.self, MigrateCommand.self, DoctorCommand.self, PluginsCommand.self,
            VersionCommand.self, CompletionCommand.self,
        ])
}

/// `roost version`
struct VersionCommand: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "version", abstract: "Print the version.")
    @OptionGroup var global: GlobalOptions
    @Flag(name: .customLong("json"), help: "Print JSON.") var isJSON = false

    func run() {
        Terminal.line(
            isJSON ? #"{"name":"roost","version":"\#(Program.version)"}"# : "roost version \(Program.version)")
    }
}

/// `roost completion bash`
struct CompletionCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "completion", abstract: "Print a script that completes commands and flags in a shell.",
        discussion: """
            bash:  roost completion bash > /etc/bash_completion.d/roost
            zsh:   roost completion zsh > ~/.zsh/completion/_roost (a folder of $fpath)
            fish:  roost completion fish > ~/.config/fish/completions/roost.fish
            """)
    @Argument(help: "bash, zsh or fish.") var shell: String

    func run() throws {
        guard let shell = CompletionShell(rawValue: shell) else {
            throw ValidationError("There are scripts for bash, zsh and fish, not for \"\(shell)\".")
        }
        Terminal.line(RoostCommand.completionScript(for: shell))
    }
}

/// Stands in help texts and completions for the command that the plugin for sign-in brings and runs.
struct SuperuserCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "superuser", abstract: "Manage superusers.",
        subcommands: [Create.self, Delete.self, IPs.self, OTP.self, Update.self, Upsert.self])

    struct Create: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Make a new superuser.")
        @Argument var email: String
        @Argument var password: String
    }
    struct Delete: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Delete a superuser.")
        @Argument var email: String
    }
    struct IPs: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "ips", abstract: "Set from which addresses superusers are let in.")
        @Argument var addresses: [String] = []
    }
    struct OTP: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "otp", abstract: "Make a one-time password for a superuser.")
        @Argument var email: String
    }
    struct Update: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Change the password of a superuser.")
        @Argument var email: String
        @Argument var password: String
    }
    struct Upsert: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Make a superuser, or change its password.")
        @Argument var email: String
        @Argument var password: String
    }
}
