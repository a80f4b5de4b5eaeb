import AuthForms
import PluginKit

/// `roost superuser …`
enum SuperuserCommand {
    private static let collection = "_superusers"

    static let usage = """
        Manage superusers

        Usage:
          roost superuser [command]

        Available Commands:
          create EMAIL PASSWORD   Creates a new superuser
          delete EMAIL            Deletes an existing superuser
          ips [IP|SUBNET…]        Sets from where superusers are let in; without any, from everywhere
          otp EMAIL               Creates a one-time password for a superuser
          update EMAIL PASSWORD   Changes the password of a single superuser
          upsert EMAIL PASSWORD   Creates, or updates if email exists, a single superuser

        Flags:
          --json                  Prints what was done as JSON

        Examples:
          roost superuser upsert test@example.com 1234567890
        """

    static func add(to host: Host) throws {
        try host.command("superuser", summary: "Manage superusers", usage: usage) { arguments, context in
            do {
                try run(arguments, context)
                return 0
            } catch let refusal as Refusal {
                context.fail(refusal.message)
                return 1
            }
        }
    }

    /// What the command has to say; when a call into the host was refused, the host adds why.
    private struct Refusal: Error {
        let message: String
        init(_ message: String) { self.message = message }
    }

    /// What a command has done: lines for a person, members of a JSON object for a script.
    private struct Outcome {
        var lines: [String]
        var members: JSONObject
    }

    private static func run(_ arguments: [String], _ context: CommandContext) throws {
        let flags = arguments.prefix { $0 != "--" }
        if let flag = flags.first(where: { $0.hasPrefix("-") && $0 != "-" && $0 != "--json" }) {
            throw Refusal("unknown flag: \(flag)")
        }
        let words = flags.filter { $0 != "--json" } + arguments.dropFirst(flags.count).filter { $0 != "--" }
        let rest = Array(words.dropFirst())
        let outcome: Outcome
        switch words.first {
        case "upsert": outcome = try upsert(rest, context)
        case "create": outcome = try create(rest, context)
        case "update": outcome = try update(rest, context)
        case "delete": outcome = try delete(rest, context)
        case "otp": outcome = try oneTimePassword(rest, context)
        case "ips": outcome = try addresses(rest, context)
        default: return context.print(usage)
        }
        if flags.contains("--json") { return context.print(JSON.object(outcome.members).serialized()) }
        for line in outcome.lines { context.print(line) }
    }

    // MARK: - Commands

    private static func upsert(_ words: [String], _ context: CommandContext) throws -> Outcome {
        let (email, password) = try credentials(words)
        let existing = try find(email, context)
        let superuser = try existing ?? context.records.create(in: collection)
        try superuser.set("email", .text(email))
        try superuser.set("password", .text(password))
        try attempt("failed to upsert superuser account") { try context.records.save(superuser) }
        return outcome(
            "Successfully saved superuser \(quoted(email))!", existing == nil ? "created" : "updated", superuser)
    }

    private static func create(_ words: [String], _ context: CommandContext) throws -> Outcome {
        let (email, password) = try credentials(words)
        let superuser = try context.records.create(in: collection)
        try superuser.set("email", .text(email))
        try superuser.set("password", .text(password))
        try attempt("failed to create new superuser account") { try context.records.save(superuser) }
        return outcome("Successfully created new superuser \(quoted(email))!", "created", superuser)
    }

    private static func update(_ words: [String], _ context: CommandContext) throws -> Outcome {
        let (email, password) = try credentials(words)
        guard let superuser = try find(email, context) else {
            throw Refusal("superuser with email \(quoted(email)) doesn't exist")
        }
        let name = quoted(superuser.text("email"))
        try superuser.set("password", .text(password))
        try attempt("failed to change superuser \(name) password") { try context.records.save(superuser) }
        return outcome("Successfully changed superuser \(name) password!", "updated", superuser)
    }

    private static func delete(_ words: [String], _ context: CommandContext) throws -> Outcome {
        guard let email = words.first, EmailSyntax.isAddress(email) else {
            throw Refusal("invalid or missing email address")
        }
        guard let superuser = try find(email, context) else {
            return Outcome(
                lines: ["superuser \(quoted(email)) is missing or already deleted"],
                members: ["change": "none", "email": .string(email)])
        }
        let result = outcome("Successfully deleted superuser \(quoted(superuser.text("email")))!", "deleted", superuser)
        try attempt("failed to delete superuser \(quoted(superuser.text("email")))") {
            try context.records.delete(superuser)
        }
        return result
    }

    private static func oneTimePassword(_ words: [String], _ context: CommandContext) throws -> Outcome {
        guard let email = words.first, EmailSyntax.isAddress(email) else {
            throw Refusal("invalid or missing email address")
        }
        guard let superuser = try find(email, context) else {
            throw Refusal("superuser with email \(quoted(email)) doesn't exist")
        }
        let options = try context.records.collection(collection)?["otp"]
        guard options?["enabled"]?.boolValue == true else {
            throw Refusal("OTP auth is not enabled for the _superusers collection")
        }
        let length = max(options?["length"]?.intValue ?? 8, 1)
        let password = context.host.randomText(length, of: Alphabet.digits)
        var id = ""
        try attempt("failed to create OTP") {
            id = try OneTimePassword.make(password, for: superuser, context.records).id
        }
        let seconds = options?["duration"]?.intValue ?? 0
        return Outcome(
            lines: [
                "Successfully created OTP for superuser \(quoted(superuser.text("email"))):", "├─ Id:    \(id)",
                "├─ Pass:  \(password)", "└─ Valid: \(seconds)s",
            ],
            members: [
                "email": .string(superuser.text("email")), "otpId": .string(id), "password": .string(password),
                "seconds": .number(Double(seconds)),
            ])
    }

    private static func addresses(_ words: [String], _ context: CommandContext) throws -> Outcome {
        try attempt("failed to update the superuserIPs setting") {
            try context.records.updateSettings(["superuserIPs": .array(words.map { .string($0) })])
        }
        let members: JSONObject = ["superuserIPs": .array(words.map { .string($0) })]
        guard let last = words.last else {
            return Outcome(lines: ["Successfully cleared SuperuserIPs setting!"], members: members)
        }
        return Outcome(
            lines: ["Successfully updated SuperuserIPs setting:"] + words.dropLast().map { "├─ \($0)" } + [
                "└─ \(last)"
            ],
            members: members)
    }

    // MARK: - Parts

    private static func outcome(_ line: String, _ change: JSON, _ superuser: Record) -> Outcome {
        Outcome(
            lines: [line],
            members: ["change": change, "email": .string(superuser.text("email")), "id": .string(superuser.id)])
    }

    private static func credentials(_ words: [String]) throws -> (email: String, password: String) {
        guard words.count == 2 else { throw Refusal("missing email and password arguments") }
        guard EmailSyntax.isAddress(words[0]) else { throw Refusal("missing or invalid email address") }
        return (words[0], words[1])
    }

    /// The superuser of an address, in any case where the collection's index does not tell cases apart.
    private static func find(_ email: String, _ context: CommandContext) throws -> Record? {
        let indexes = try context.records.collection(collection)?["indexes"]?.arrayValue ?? []
        let index = indexes.compactMap { $0.stringValue.flatMap { UniqueIndex($0) } }.first { $0.column == "email" }
        return try context.records.first(
            collection, where: "email", is: .text(email), ignoreCase: index?.ignoresCase ?? false)
    }

    private static func attempt(_ message: String, _ body: () throws -> Void) throws {
        do {
            try body()
        } catch is HostError {
            throw Refusal(message)
        }
    }

    /// As Go's %q.
    private static func quoted(_ text: String) -> String { JSON.string(text).serialized() }
}
