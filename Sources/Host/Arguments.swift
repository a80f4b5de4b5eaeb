/// The words of the command line in the order that the commands expect: flags that stand before the command behind it,
/// where PocketBase takes them too, and switches with the value that they stand for.
struct Arguments {
    /// Flags that every command knows and that take a value.
    private static let globals: Set<String> = [
        "--dir", "--encryptionEnv", "--queryTimeout", "--hooksDir", "--hooksPool", "--migrationsDir", "--publicDir",
        "--pluginsDir",
    ]
    /// Flags of every command that are on or off: `--dev`, `--dev=false`.
    private static let switches: Set<String> = ["--dev", "--hooksWatch", "--indexFallback", "--automigrate"]
    /// Flags of every command without a value.
    private static let plain: Set<String> = ["--safe-mode", "--retry-plugins"]
    /// Flags of `serve` that take a value.
    private static let serving: Set<String> = ["--http", "--https", "--origins", "--loops", "--cert", "--key"]

    /// The command, if there is one.
    let command: String?
    /// The words after the command and the flags before it.
    let rest: [String]

    init(_ words: [String]) {
        let words = Self.spelledOut(words)
        var flags: [String] = []
        var index = 0
        while index < words.count, words[index].hasPrefix("-") {
            flags.append(words[index])
            let takesValue = Self.globals.contains(words[index]) || Self.serving.contains(words[index])
            if takesValue, index + 1 < words.count {
                index += 1
                flags.append(words[index])
            }
            index += 1
        }
        command = index < words.count ? words[index] : nil
        rest = (index < words.count ? Array(words[(index + 1)...]) : []) + flags
    }

    /// `--dev` as `--dev=true`, up to a `--` after which everything is a plain word.
    private static func spelledOut(_ words: [String]) -> [String] {
        var result = words
        for index in words.indices {
            if words[index] == "--" { break }
            if switches.contains(words[index]) { result[index] += "=true" }
        }
        return result
    }

    var ordered: [String] { (command.map { [$0] } ?? []) + rest }

    /// Splits the flags that every command knows from the words that are the command's own.
    func split() -> (globals: [String], own: [String]) {
        var globals: [String] = []
        var own: [String] = []
        var index = 0
        while index < rest.count {
            let word = rest[index]
            let name = word.split(separator: "=", maxSplits: 1).first.map(String.init) ?? word
            let isKnown = Self.globals.contains(name) || Self.switches.contains(name)
            if Self.plain.contains(word) || (isKnown && word.contains("=")) {
                globals.append(word)
            } else if Self.globals.contains(word), index + 1 < rest.count {
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
