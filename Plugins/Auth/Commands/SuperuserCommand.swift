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

    private static func run(_ arguments: [String], _ context: CommandContext) throws {
        if let flag = arguments.prefix(while: { $0 != "--" }).first(where: { $0.hasPrefix("-") && $0 != "-" }) {
            throw Refusal("unknown flag: \(flag)")
        }
        let words = arguments.filter { $0 != "--" }
        switch words.first {
        case "upsert": try upsert(Array(words.dropFirst()), context)
        case "create": try create(Array(words.dropFirst()), context)
        case "update": try update(Array(words.dropFirst()), context)
        case "delete": try delete(Array(words.dropFirst()), context)
        case "otp": try oneTimePassword(Array(words.dropFirst()), context)
        case "ips": try addresses(Array(words.dropFirst()), context)
        default: context.print(usage)
        }
    }

    // MARK: - Commands

    private static func upsert(_ words: [String], _ context: CommandContext) throws {
        let (email, password) = try credentials(words)
        let superuser = try find(email, context) ?? context.records.create(in: collection)
        try superuser.set("email", .text(email))
        try superuser.set("password", .text(password))
        try attempt("failed to upsert superuser account") { try context.records.save(superuser) }
        context.print("Successfully saved superuser \(quoted(email))!")
    }

    private static func create(_ words: [String], _ context: CommandContext) throws {
        let (email, password) = try credentials(words)
        let superuser = try context.records.create(in: collection)
        try superuser.set("email", .text(email))
        try superuser.set("password", .text(password))
        try attempt("failed to create new superuser account") { try context.records.save(superuser) }
        context.print("Successfully created new superuser \(quoted(email))!")
    }

    private static func update(_ words: [String], _ context: CommandContext) throws {
        let (email, password) = try credentials(words)
        guard let superuser = try find(email, context) else {
            throw Refusal("superuser with email \(quoted(email)) doesn't exist")
        }
        let name = quoted(superuser.text("email"))
        try superuser.set("password", .text(password))
        try attempt("failed to change superuser \(name) password") { try context.records.save(superuser) }
        context.print("Successfully changed superuser \(name) password!")
    }

    private static func delete(_ words: [String], _ context: CommandContext) throws {
        guard let email = words.first, EmailSyntax.isAddress(email) else {
            throw Refusal("invalid or missing email address")
        }
        guard let superuser = try find(email, context) else {
            return context.print("superuser \(quoted(email)) is missing or already deleted")
        }
        let name = quoted(superuser.text("email"))
        try attempt("failed to delete superuser \(name)") { try context.records.delete(superuser) }
        context.print("Successfully deleted superuser \(name)!")
    }

    private static func oneTimePassword(_ words: [String], _ context: CommandContext) throws {
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
        context.print("Successfully created OTP for superuser \(quoted(superuser.text("email"))):")
        context.print("├─ Id:    \(id)")
        context.print("├─ Pass:  \(password)")
        context.print("└─ Valid: \(options?["duration"]?.intValue ?? 0)s")
    }

    private static func addresses(_ words: [String], _ context: CommandContext) throws {
        try attempt("failed to update the superuserIPs setting") {
            try context.records.updateSettings(["superuserIPs": .array(words.map { .string($0) })])
        }
        guard let last = words.last else { return context.print("Successfully cleared SuperuserIPs setting!") }
        context.print("Successfully updated SuperuserIPs setting:")
        for word in words.dropLast() { context.print("├─ \(word)") }
        context.print("└─ \(last)")
    }

    // MARK: - Parts

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
