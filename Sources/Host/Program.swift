import ArgumentParser
import CMalloc
import Glibc
import Roost

/// Where the process begins: finds out which command is meant, core or a plugin's.
@main
enum Program {
    static let version = Server.version

    static func main() {
        // A client that goes away while it is written to must not end the server.
        signal(SIGPIPE, SIG_IGN)
        // A file over the process's limit is an error to answer, and no end of the process.
        signal(SIGXFSZ, SIG_IGN)
        // By default the allocator keeps up to eight pools for each core, and every one holds what its busiest moment
        // needed. Two serve as fast here, where few threads allocate at a time, and hold a quarter less under load.
        mallopt(M_ARENA_MAX, 2)
        let arguments = Arguments(Array(CommandLine.arguments.dropFirst()))
        guard let name = arguments.command else {
            if arguments.rest.contains("-v") { return Terminal.line("roost version \(version)") }
            return run(arguments.ordered)
        }
        // Words of the program's own completion scripts begin with three dashes.
        if coreCommands.contains(name) || arguments.rest.contains(where: { $0.hasPrefix("---completion") }) {
            return run(arguments.ordered)
        }
        exit(PluginCommandRunner.run(name, arguments))
    }

    private static let coreCommands: Set = [
        "serve", "plugin", "migrate", "doctor", "version", "completion", "help",
    ]

    /// Runs a core command. It ends with 1 when it fails for whatever reason, as PocketBase does; the parser would say 64
    /// for words that it does not understand.
    private static func run(_ words: [String]) {
        do {
            var command = try RoostCommand.parseAsRoot(words)
            try command.run()
        } catch let code as ExitCode {
            exit(code.rawValue)
        } catch {
            let isAnswer = RoostCommand.exitCode(for: error) == .success
            let message = RoostCommand.fullMessage(for: error)
            if isAnswer { Terminal.line(message) } else { Terminal.error(message) }
            exit(isAnswer ? 0 : 1)
        }
    }

    /// Prints a sentence to standard error and ends the process.
    static func fail(_ error: any Error, code: Int32 = 1) -> Never {
        Terminal.error("Error: \(error)")
        exit(code)
    }
}
