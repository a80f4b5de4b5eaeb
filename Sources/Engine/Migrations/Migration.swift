import JSON
package import Store

/// What a migration does, in both directions. Used inside the transaction of the runner, once.
package protocol MigrationProgram: Sendable {
    /// - Throws: why it cannot be applied; then nothing of the run is kept.
    func up(_ context: MigrationContext) throws
    /// - Throws: why it cannot be taken back; then nothing of the run is kept.
    func down(_ context: MigrationContext) throws
}

/// What a migration works on.
package struct MigrationContext {
    package let engine: Engine
    package let transaction: Transaction
}

/// Runs the migrations that are programs: what a scripting plugin provides.
package protocol MigrationScripts: Sendable {
    /// Reads a program; it is not run yet.
    ///
    /// - Parameters:
    ///   - file: its name, without the folder.
    ///   - source: its text.
    /// - Throws: why it is no migration; a sentence for the operator.
    func program(file: String, source: String) throws -> any MigrationProgram
}

/// Why migrations were not applied, taken back or written; a sentence for the operator.
package struct MigrationError: Error, Sendable, CustomStringConvertible {
    package let description: String
    /// Whether the file needs a scripting plugin and none is there.
    package let needsScripting: Bool

    package init(_ description: String, needsScripting: Bool = false) {
        self.description = description
        self.needsScripting = needsScripting
    }

    /// Any error as part of a sentence.
    static func reason(_ error: any Error) -> String {
        guard let error = error as? ServiceError else { return CollectionError(error).text }
        if error.data.isEmpty { return error.message }
        return error.message + " " + FailureTree.nested(error.data).json.serialized()
    }
}
