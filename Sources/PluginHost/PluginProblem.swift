/// Why a plugin does not run, in one line for the operator that says what to do about it.
package struct PluginProblem: Error, Sendable, Equatable, CustomStringConvertible {
    /// What kind of refusal it is, for programs (`roost plugin list --json`).
    package enum Kind: String, Sendable {
        /// The manifest is missing or wrong.
        case manifest
        /// The file's owner, permissions or hash are not as they must be.
        case trust
        /// Built for another ABI.
        case abi
        /// Something that it needs is not there.
        case requirement
        /// Another plugin has the same id, field type or table.
        case conflict
        /// The operator has not granted a capability.
        case grant
        /// The operator has switched it off, or it was left out on purpose.
        case disabled
        /// It crashed the process at an earlier start.
        case suspect
        /// The library could not be loaded or its descriptor is wrong.
        case load
        /// The plugin itself reported a failure.
        case failed
    }

    package var kind: Kind
    package var message: String

    package init(_ kind: Kind, _ message: String) {
        self.kind = kind
        self.message = message
    }

    package var description: String { message }
}
