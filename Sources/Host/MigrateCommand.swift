import ArgumentParser
import Engine
import JSON
import Roost

/// `roost migrate …`
struct MigrateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "migrate", abstract: "Apply, take back and write migrations.",
        discussion: "Without a command, applies all that are pending.",
        subcommands: [Up.self, Down.self, Create.self, Collections.self, HistorySync.self, Pending.self],
        defaultSubcommand: Up.self)

    struct Output: ParsableArguments {
        @OptionGroup var global: GlobalOptions
        @Flag(name: .customLong("json"), help: "Print JSON.") var isJSON = false

        /// Prints lines, or a JSON object.
        func show(_ lines: [String], _ json: @autoclosure () -> JSON) {
            if isJSON { return Terminal.line(json().serialized()) }
            for line in lines { Terminal.line(line) }
        }
    }

    /// The answer to a question is asked for on the terminal unless it was given with the command.
    struct Consent: ParsableArguments {
        @Flag(name: [.customLong("yes"), .customShort("y")], help: "Do not ask.") var isGiven = false

        func ask(_ question: String) -> Bool { isGiven || Terminal.ask(question) }
    }

    struct Up: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Apply all pending migrations.")
        @OptionGroup var output: Output

        func run() throws {
            try output.global.withServer { server in
                let outcome = try server.migrations.up()
                output.show(
                    outcome.applied.isEmpty && outcome.waiting.isEmpty
                        ? ["No new migrations to apply."] : outcome.applied.map { "Applied \($0)" },
                    ["applied": .strings(outcome.applied), "waiting": .strings(outcome.waiting)])
                guard let reason = outcome.reason else { return }
                Terminal.error("Error: \(reason)")
                for file in outcome.waiting { Terminal.error("Not applied: \(file)") }
                throw ExitCode(1)
            }
        }
    }

    struct Down: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Take back the migrations that were applied last.",
            discussion: "What the program brings by itself is never taken back.")
        @OptionGroup var output: Output
        @OptionGroup var consent: Consent
        @Argument(parsing: .allUnrecognized, help: "How many; all when negative (default: 1).") var count: [String] = []

        func run() throws {
            guard count.count < 2, let number = Int(count.first ?? "1") else {
                throw ValidationError("`migrate down` takes one number.")
            }
            try output.global.withServer { server in
                let files = try server.migrations.lastApplied(number)
                if files.isEmpty {
                    return output.show(["No migrations to revert."], ["reverted": .array([])])
                }
                let list = files.joined(separator: "\n")
                let question =
                    "\n\(list)\nDo you really want to revert the last \(files.count) applied migration(s)?"
                guard consent.ask(question) else { return Terminal.line("The command has been cancelled") }
                let reverted = try server.migrations.down(number)
                output.show(reverted.map { "Reverted \($0)" }, ["reverted": .strings(reverted)])
            }
        }
    }

    struct Create: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Write a migration to be filled in.")
        @OptionGroup var output: Output
        @OptionGroup var consent: Consent
        @Flag(help: "Write SQL, which needs no scripting plugin.") var sql = false
        @Argument(help: "What it is for; becomes part of the file's name.") var name: String

        func run() throws {
            let migration = NewMigration(title: name, isSQL: sql, options: output.global.serverConfiguration)
            try MigrateCommand.write(migration, output, consent)
        }
    }

    struct Collections: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Write a migration that makes all collections as they are now.")
        @OptionGroup var output: Output
        @OptionGroup var consent: Consent

        func run() throws {
            let migration = try output.global.withServer { NewMigration(snapshotOf: $0) }
            try MigrateCommand.write(migration, output, consent)
        }
    }

    struct HistorySync: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "history-sync", abstract: "Forget applied migrations whose files are gone.")
        @OptionGroup var output: Output

        func run() throws {
            try output.global.withServer { try $0.migrations.syncHistory() }
            output.show(["The _migrations table was synced with the available migrations."], ["synced": true])
        }
    }

    struct Pending: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List the migrations that were not applied yet.")
        @OptionGroup var output: Output

        func run() throws {
            let files = try output.global.withServer { try $0.migrations.pending() }
            output.show(files, ["pending": .strings(files)])
        }
    }

    private static func write(_ migration: NewMigration, _ output: Output, _ consent: Consent) throws {
        let shown = JSON.string(migration.path).serialized()
        guard consent.ask("Do you really want to create migration \(shown)?") else {
            return Terminal.line("The command has been cancelled")
        }
        try migration.write()
        output.show(["Successfully created file \(shown)"], ["file": .string(migration.path)])
    }
}

extension JSON {
    static func strings(_ texts: [String]) -> JSON { .array(texts.map { .string($0) }) }
}
