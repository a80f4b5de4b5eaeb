/// Which members of options are never shown.
package enum SecretName {
    /// Whether a member is called `secret` or `…Secret`.
    package static func matches(_ name: String) -> Bool { name == "secret" || name.hasSuffix("Secret") }
}
