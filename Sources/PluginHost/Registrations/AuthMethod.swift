package import Engine
package import JSON
internal import PluginABI
internal import Synchronization

/// A way to sign in that a plugin registered.
struct AuthMethod: Sendable {
    let plugin: LoadedPlugin
    let name: String
    let title: String
    /// All members of its options in a collection.
    let defaults: JSONObject
    /// ROOST_FACTOR_…
    let factors: UInt32
    let user: PluginUser
    let validate: roost_auth_validate?
    let describe: roost_auth_describe?
    let begin: roost_auth_begin?
    let finish: roost_auth_finish

    /// Methods whose options stand where PocketBase has them, with the key.
    static let ownKeys = ["password": "passwordAuth", "otp": "otp", "oauth2": "oauth2"]

    static func isName(_ name: String) -> Bool {
        guard let first = name.utf8.first, (0x61...0x7A).contains(first), name.utf8.count <= 32 else { return false }
        return name.utf8.allSatisfy {
            (0x61...0x7A).contains($0) || (0x30...0x39).contains($0) || $0 == UInt8(ascii: "-")
        }
    }

    /// Its options in a collection, complete.
    func options(in collection: Collection) -> JSONObject {
        if let key = Self.ownKeys[name] { return collection.options[key]?.objectValue ?? JSONObject() }
        let stored = collection.options["authMethods"]?[name]?.objectValue ?? JSONObject()
        var options = defaults
        // What is stored may be of another version of the plugin, or of another hand.
        for (key, value) in stored {
            if let known = defaults[key], Self.isSameType(known, value) { options[key] = value }
        }
        return options
    }

    /// Checks options that a collection is to have.
    ///
    /// - Returns: the failures by option.
    func failures(_ options: JSONObject) -> [String: FailureTree] {
        var failures: [String: FailureTree] = [:]
        for (key, value) in options {
            guard let known = defaults[key] else {
                failures[key] = .failure(FieldFailure("validation_unknown_option", "There is no such option."))
                continue
            }
            if !Self.isSameType(known, value) {
                failures[key] = .failure(FieldFailure("validation_invalid_value", "Invalid value."))
            }
        }
        guard failures.isEmpty, let validate else { return failures }
        var complete = defaults
        for (key, value) in options { complete[key] = value }
        withCall(plugin) { call in
            let status = withBytes(JSON.object(complete).serialized()) { validate(user.pointer, call.pointer, $0) }
            guard status < 0 else { return }
            for (field, failure) in call.fieldFailures { failures[field] = .failure(failure) }
            if failures.isEmpty {
                let words = call.failure?.message ?? "Invalid options."
                failures["enabled"] = .failure(FieldFailure("validation_invalid_options", words))
            }
        }
        return failures
    }

    private static func isSameType(_ known: JSON, _ value: JSON) -> Bool {
        switch (known, value) {
        case (.null, _), (.bool, .bool), (.number, .number), (.string, .string), (.array, .array), (.object, .object):
            true
        default: false
        }
    }
}

extension PluginHost {
    /// What a plugin's sign-in method has against the options that a collection is to have for it; nil when no plugin
    /// brings that method.
    package func authMethodFailures(_ name: String, _ options: JSONObject) -> [String: FailureTree]? {
        services.accepted.withLock { $0.authMethods[name] }?.failures(options)
    }
}
