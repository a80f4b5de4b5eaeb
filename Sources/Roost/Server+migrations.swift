package import Engine
import JSON
import PluginHost
import Glibc

extension Server.Configuration {
    /// The folder of migrations.
    package var migrationsFolder: String { migrationsDirectory ?? Folder.beside(dataDirectory, "pb_migrations") }
    /// The folder of JavaScript hooks.
    package var hooksFolder: String { hooksDirectory ?? Folder.beside(dataDirectory, "pb_hooks") }
}

extension Server {
    /// The migrations of the operator.
    package var migrations: MigrationRunner {
        MigrationRunner(engine: engine, folder: MigrationFolder(configuration.migrationsFolder))
    }

    /// Applies what is pending, as the server does before it starts.
    ///
    /// - Returns: lines for the operator about migrations that cannot be run here.
    /// - Throws: ``MigrationError`` when one fails; then nothing was changed, and the server should not start.
    package func applyMigrations() throws -> [String] {
        let outcome = try migrations.up()
        for file in outcome.applied { engine.logs.write(.info, "Applied the migration \(file).") }
        guard let reason = outcome.reason else { return [] }
        let lines =
            ["(!) Not all migrations were applied: \(reason)"]
            + outcome.waiting.map { "    Not applied: \($0)" }
        engine.logs.write(.warn, "Not all migrations were applied.", ["error": .string(reason.description)])
        return lines
    }

    /// Says when there are hooks that nothing runs.
    ///
    /// - Returns: lines for the operator.
    package func warnAboutHooks() -> [String] {
        let folder = configuration.hooksFolder
        let files = FileSystem.names(in: folder).filter { $0.hasSuffix(".pb.js") || $0.hasSuffix(".pb.ts") }.sorted()
        if files.isEmpty || runsScripts { return [] }
        engine.logs.write(.warn, "JavaScript hooks are not run: no scripting plugin is installed.")
        return [
            "(!) The hooks in \(folder) are not run, since no scripting plugin is installed: "
                + files.joined(separator: ", ")
        ]
    }

    /// Whether a plugin runs JavaScript.
    private var runsScripts: Bool { plugins.plugins.contains { $0.id.hasSuffix(".scripting") && $0.problem == nil } }
}

/// A migration file that is about to be written.
package struct NewMigration: Sendable {
    package let path: String
    private let folder: String
    private let text: String

    /// One to be filled in.
    package init(title: String, isSQL: Bool, options: Server.Configuration) {
        self.init(
            MigrationFile.name(title, suffix: isSQL ? "sql" : "js"), isSQL ? Self.blankSQL : CollectionScript.blank,
            options)
    }

    /// One that makes the collections of a server as they are now.
    package init(snapshotOf server: Server) {
        let collections = server.engine.schema.collections.sorted { $0.created < $1.created }
        self.init(
            MigrationFile.name("collections_snapshot", suffix: "js"), CollectionScript.snapshot(collections),
            server.configuration)
    }

    private init(_ name: String, _ text: String, _ options: Server.Configuration) {
        folder = options.migrationsFolder
        path = "\(folder)/\(name)"
        self.text = text
    }

    /// - Throws: why the file cannot be written; a sentence for the operator.
    package func write() throws { try MigrationFile.write(text, to: path, in: folder) }

    private static let blankSQL = """
        -- migrate:up


        -- migrate:down


        """
}
