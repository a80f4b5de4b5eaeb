package import Engine
internal import JSON
internal import PluginABI

/// Tells whose token a request brings: the one plugin that registered for it.
package struct IdentityProvider: Sendable {
    let plugin: LoadedPlugin
    let user: PluginUser
    let claims: roost_identity_claims
    let verify: roost_identity_verify

    package var pluginID: String { plugin.id }

    /// The record that a token says it is of; nil for what is no token. Nothing of it is to be trusted before
    /// `verify`. Any thread; does not wait.
    package func claims(of token: String) -> (collection: String, recordID: String)? {
        withCall(plugin) { call in
            var collection = roost_bytes()
            var record = roost_bytes()
            let status = withBytes(token) { claims(user.pointer, call.pointer, $0, &collection, &record) }
            guard status == ROOST_OK, let collection = collection.text, let record = record.text,
                !collection.isEmpty, !record.isEmpty
            else { return nil }
            return (collection, record)
        }
    }

    /// Checks a token against its record. Any thread; does not wait.
    ///
    /// - Returns: the second (Unix time) from which it no longer counts; nil when it does not count now.
    package func verify(_ token: String, of record: Record) -> Int64? {
        withCall(plugin) { call in
            call.record = record
            let document = CollectionDocument.text(record.collection, includingSecrets: true)
            var expires: Int64 = 0
            let status = withBytes(token) { token in
                withBytes(document) {
                    verify(user.pointer, call.pointer, token, roost_record(id: call.frame), $0, &expires)
                }
            }
            // Anything but a plain yes is a no.
            return status == ROOST_OK ? expires : nil
        }
    }
}
