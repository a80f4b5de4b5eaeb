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
        if let name = arguments.command, !["serve", "plugin", "help"].contains(name) {
            exit(PluginCommandRunner.run(name, arguments))
        }
        RoostCommand.main(arguments.ordered)
    }

    /// Prints a sentence to standard error and ends the process.
    static func fail(_ error: any Error, code: Int32 = 1) -> Never {
        Terminal.error("Error: \(error)")
        exit(code)
    }
}

/// The words of the command line, with flags that stand before the command moved behind it, where PocketBase takes them
/// too.
struct Arguments {
    /// Flags that take a value.
    private static let valued: Set<String> = [
        "--dir", "--pluginsDir", "--encryptionEnv", "--queryTimeout", "--http", "--https", "--origins", "--publicDir",
        "--hooksDir", "--hooksPool", "--migrationsDir",
    ]

    /// The command, if there is one.
    let command: String?
    /// The words after the command and the flags before it.
    let rest: [String]

    init(_ words: [String]) {
        // PocketBase's flag for yes or no may stand without either.
        let words = words.map { $0 == "--indexFallback" ? "--indexFallback=true" : $0 }
        var flags: [String] = []
        var index = 0
        while index < words.count, words[index].hasPrefix("-") {
            flags.append(words[index])
            if Self.valued.contains(words[index]), index + 1 < words.count {
                index += 1
                flags.append(words[index])
            }
            index += 1
        }
        command = index < words.count ? words[index] : nil
        rest = (index < words.count ? Array(words[(index + 1)...]) : []) + flags
    }

    var ordered: [String] { (command.map { [$0] } ?? []) + rest }

    /// Splits the global flags from the words that are the command's own.
    func split() -> (globals: [String], own: [String]) {
        let valued: Set<String> = [
            "--dir", "--pluginsDir", "--encryptionEnv", "--queryTimeout", "--publicDir", "--indexFallback",
        ]
        let plain: Set<String> = ["--dev", "--safe-mode", "--retry-plugins"]
        var globals: [String] = []
        var own: [String] = []
        var index = 0
        while index < rest.count {
            let word = rest[index]
            let name = word.split(separator: "=", maxSplits: 1).first.map(String.init) ?? word
            if plain.contains(word) || (valued.contains(name) && word.contains("=")) {
                globals.append(word)
            } else if valued.contains(word), index + 1 < rest.count {
                globals += [word, rest[index + 1]]
                index += 1
            } else {
                own.append(word)
            }
            index += 1
        }
        return (globals, own)
    }
}
