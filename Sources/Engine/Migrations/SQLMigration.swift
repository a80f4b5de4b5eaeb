import Store

/// A migration written in SQL, with the sections that dbmate's files have:
///
///     -- migrate:up
///     CREATE INDEX `idx_posts_title` ON `posts` (`title`);
///     -- migrate:down
///     DROP INDEX `idx_posts_title`;
///
/// A file without sections is all `up`, and cannot be taken back.
struct SQLMigration: MigrationProgram {
    let upScript: String
    let downScript: String?

    /// - Throws: ``MigrationError`` when the sections are not in order.
    init(_ source: String, file: String) throws(MigrationError) {
        enum Section { case head, up, down }
        var section = Section.head
        var texts: [Section: String] = [:]
        for line in source.split(separator: "\n", omittingEmptySubsequences: false) {
            switch Self.marker(line) {
            case "up":
                guard section == .head, !Self.hasStatements(texts[.head] ?? "") else {
                    throw MigrationError("\(file): `-- migrate:up` must stand once, before all statements")
                }
                section = .up
            case "down":
                guard section == .up else {
                    throw MigrationError("\(file): `-- migrate:down` must stand once, after `-- migrate:up`")
                }
                section = .down
            case .some(let other): throw MigrationError("\(file): there is no section `migrate:\(other)`")
            case nil: texts[section, default: ""] += line + "\n"
            }
        }
        upScript = (section == .head ? texts[.head] : texts[.up]) ?? ""
        downScript = section == .down ? texts[.down] ?? "" : nil
    }

    /// The section that a line begins.
    private static func marker(_ line: Substring) -> String? {
        let words = line.split(whereSeparator: \.isWhitespace)
        guard words.count >= 2, words[0] == "--", words[1].hasPrefix("migrate:") else { return nil }
        return String(words[1].dropFirst("migrate:".count))
    }

    private static func hasStatements(_ text: String) -> Bool {
        text.split(separator: "\n").contains { line in
            let words = line.split(whereSeparator: \.isWhitespace)
            return !words.isEmpty && !words[0].hasPrefix("--")
        }
    }

    func up(_ context: MigrationContext) throws { try run(upScript, context) }

    func down(_ context: MigrationContext) throws {
        guard let downScript else { throw MigrationError("it has no section `-- migrate:down`") }
        try run(downScript, context)
    }

    private func run(_ script: String, _ context: MigrationContext) throws {
        let connection = context.transaction.connection
        do {
            try connection.execute(script)
        } catch {
            // The writer turns a commit that is not its own into a rollback.
            if !connection.isInTransaction { throw Self.endsTransaction }
            throw error
        }
        if !connection.isInTransaction { throw Self.endsTransaction }
    }

    private static let endsTransaction = MigrationError(
        "it ends the transaction that it runs in; leave BEGIN, COMMIT and ROLLBACK out")
}
