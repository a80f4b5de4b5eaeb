package import JSON

/// What a plugin can do beyond its own field types, if the operator lets it.
package enum Capability: String, Sendable, CaseIterable {
    /// Routes and middlewares.
    case http
    /// Connections to other machines.
    case network
    /// Files outside its own folder.
    case files
    /// Token secrets and the like in collections' options.
    case secrets
    /// SQL of its own.
    case sql
    /// Acting as a superuser.
    case superuser
    /// Saying who a request comes from.
    case identity
    /// Sub-commands of the program.
    case commands
}

/// `plugin.json`: what a plugin says of itself without any of its code being run.
package struct Manifest: Sendable {
    /// A route that the plugin says it will add; for listings only.
    package struct Route: Sendable, Equatable {
        package var method: String
        package var path: String
    }

    /// Reverse domain, e.g. `org.example.colour`.
    package var id: String
    package var name: String
    /// Semantic version.
    package var version: String
    package var abiMajor: UInt32
    package var abiMinor: UInt32
    /// The plain name of the `.so` beside the manifest.
    package var library: String
    /// The library's SHA-256, 64 hexadecimal digits in lower case.
    package var sha256: String?
    /// The plain names of programs beside the library that the plugin starts.
    package var programs: [String] = []
    package var vendor = ""
    package var license = ""
    package var url = ""
    package var summary = ""
    package var requiredTables: [String] = []
    package var requiredPlugins: [String] = []
    package var optionalTables: [String] = []
    package var offeredTables: [String] = []
    package var capabilities: [Capability] = []
    package var fieldTypes: [String] = []
    package var routes: [Route] = []
    package var commands: [String] = []
    /// The schema of the operator's settings, as the manifest has it.
    package var settings: JSON = .null
    /// The folder (or the description) of the plugin's dashboard parts, as the manifest has it.
    package var dashboard: JSON = .null

    /// The largest manifest that is read, in bytes.
    package static let maxSize = 1 << 20
}
