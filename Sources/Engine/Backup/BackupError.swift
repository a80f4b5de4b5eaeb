/// Why a backup could not be made or restored, in words for whoever asked for it.
package struct BackupError: Error, Sendable, Equatable, CustomStringConvertible {
    package let description: String

    init(_ description: String) { self.description = description }

    package static let busy = BackupError("Another backup or restore is running.")
    static let stopped = BackupError("The server is shutting down.")
    static func missing(_ name: String) -> BackupError { BackupError("There is no backup \"\(name)\".") }
    /// The archive is not one to be restored.
    static func refused(_ why: String) -> BackupError { BackupError("The backup cannot be restored: \(why)") }
}
