/// A plugin that was found, with all that is known of it before any of its code runs.
package struct PluginCandidate: Sendable {
    package enum Origin: String, Sendable {
        /// Came with the program, in `plugins` beside it.
        case bundled
        /// Put into the plugins folder by the operator.
        case installed
    }

    /// The manifest's id; the folder's name when the manifest cannot be read.
    package var id: String
    package var origin: Origin
    package var folder: String
    package var manifest: Manifest?
    /// The SHA-256 of the manifest's bytes.
    package var manifestHash = ""
    /// The SHA-256 of the library as it is now; empty when it was not read.
    package var libraryHash = ""
    package var state = PluginSettings.Entry()
    /// Why it is not loaded.
    package var problem: PluginProblem?

    /// Whether the operator wants it.
    package var isEnabled: Bool { state.enabled ?? (origin == .bundled) }
    /// What it may do: bundled plugins what they ask for, installed ones what they ask for and were granted.
    package var granted: [Capability] {
        let asked = manifest?.capabilities ?? []
        return origin == .bundled ? asked : asked.filter(state.grants.contains)
    }
    package var libraryPath: String { folder + "/" + (manifest?.library ?? "") }
}
