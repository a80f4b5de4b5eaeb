package import JSON
package import Store
import Synchronization

/// Why stored settings cannot be used or written, in words for whoever runs the server.
package struct SettingsError: Error, Sendable, Equatable, CustomStringConvertible {
    package let description: String

    /// The row can be read neither as it is nor with the key.
    package static let missingKey = SettingsError(
        description:
            "The stored settings are encrypted (or damaged) and there is no key: start with --encryptionEnv and "
            + "the name of the environment variable that holds the key they were stored with.")
    package static let wrongKey = SettingsError(
        description:
            "The stored settings cannot be decrypted: the key is not the one they were stored with, or they are "
            + "damaged.")
    package static let unusableKey = SettingsError(
        description: "The key for the settings must have 32 characters, so they cannot be stored.")
    package static let cannotEncrypt = SettingsError(description: "The settings cannot be encrypted.")
    package static func wrongShape(_ key: String) -> SettingsError {
        SettingsError(description: "The stored settings are damaged: \"\(key)\" has a value of another type.")
    }
}

/// Settings with what is worked out from them once, shared by all requests until the next change.
package final class SettingsSnapshot: Sendable {
    package let settings: Settings
    /// From where superusers may be used; empty for everywhere.
    package let superuserIPs: IPList
    /// Which change brought these settings, counted from 1.
    package let revision: UInt64

    init(_ settings: Settings, revision: UInt64 = 1) {
        self.settings = settings
        self.revision = revision
        superuserIPs = IPList(settings.superuserIPs)
    }
}

/// Holds the settings in use, and reads and writes the row they are stored in.
package final class SettingsStore: Sendable {
    private struct State {
        var snapshot: SettingsSnapshot
        var key: String?
        var observers: [@Sendable (Settings) -> Void] = []
    }

    private let state: Mutex<State>

    /// - Parameter settings: what is in use until the stored ones are loaded.
    package init(_ settings: Settings = .defaults) {
        state = Mutex(State(snapshot: SettingsSnapshot(settings)))
    }

    /// The settings in use. Any thread; costs a lock and a reference.
    package var snapshot: SettingsSnapshot { state.withLock { $0.snapshot } }

    /// A copy of the settings in use.
    package var current: Settings { snapshot.settings }

    /// Has an observer called after each change, on the thread that loads or on the writer's after the commit.
    package func onChange(_ observer: @escaping @Sendable (Settings) -> Void) {
        state.withLock { $0.observers.append(observer) }
    }

    /// Reads the stored settings and puts them into use; what they do not say is as in a new data folder.
    ///
    /// - Parameter encryptionKey: of 32 bytes; nil or empty for none. Settings are stored with it from now on, and may
    ///   still be in plain text.
    /// - Returns: false if there are none; then the defaults are in use and are to be saved.
    /// - Throws: a `SettingsError`, or what the database answers.
    @discardableResult
    package func load(_ connection: Connection, encryptionKey: String?) throws -> Bool {
        let key = encryptionKey.flatMap { $0.isEmpty ? nil : $0 }
        let row = try connection.firstRow("SELECT `value` FROM `_params` WHERE `id` = 'settings'")
        var settings = Settings.defaults
        if let row {
            let stored: [UInt8] =
                switch row.first {
                case .blob(let bytes): bytes
                case .text(let text): Array(text.utf8)
                default: []
                }
            settings = try Self.read(stored, key: key)
        }
        publish(settings) { $0.key = key }
        return row != nil
    }

    /// Stores settings, encrypted if there is a key; they are in use once the transaction is committed.
    ///
    /// - Throws: a `SettingsError` when the key cannot be used, or what the database answers. Nothing is validated here.
    package func save(_ settings: Settings, in transaction: Transaction) throws {
        let value = try Self.write(settings, key: state.withLock { $0.key })
        let now = SQLValue.text(Timestamp.now())
        let connection = transaction.connection
        let updated = try connection.run(
            "UPDATE `_params` SET `value` = ?, `updated` = ? WHERE `id` = 'settings'", [value, now])
        if updated == 0 {
            try connection.run(
                "INSERT INTO `_params` (`id`, `value`, `created`, `updated`) VALUES ('settings', ?, ?, ?)",
                [value, now, now])
        }
        transaction.afterCommit { self.publish(settings) { _ in } }
    }

    /// Merges a patch into the settings in use and stores them.
    ///
    /// - Throws: 400 with the failures of what is not valid; the old settings then stay.
    package func update(with patch: JSONObject, in transaction: Transaction) throws {
        let changed = try current.applying(patch: patch)
        let failures = changed.validate()
        if !failures.isEmpty {
            throw ServiceError.badRequest("An error occurred while saving the new settings.", failures)
        }
        try save(changed, in: transaction)
    }

    private func publish(_ settings: Settings, _ change: (inout State) -> Void) {
        let observers = state.withLock { state in
            change(&state)
            state.snapshot = SettingsSnapshot(settings, revision: state.snapshot.revision + 1)
            return state.observers
        }
        for observer in observers { observer(settings) }
    }

    /// Plain text first, as PocketBase does: a key may have been given after the settings were stored.
    static func read(_ stored: [UInt8], key: String?) throws(SettingsError) -> Settings {
        if let object = object(stored) { return try settings(object) }
        guard let key else { throw .missingKey }
        let text = String(decoding: stored, as: UTF8.self)
        guard let plain = SettingsCipher.decrypt(text, key: key), let object = object(plain) else { throw .wrongKey }
        return try settings(object)
    }

    /// Plain text is a blob and the encrypted a text, as PocketBase stores them.
    static func write(_ settings: Settings, key: String?) throws(SettingsError) -> SQLValue {
        let plain = settings.storedJSON.serializedBytes()
        guard let key else { return .blob(plain) }
        guard SettingsCipher.accepts(key: key) else { throw .unusableKey }
        guard let sealed = SettingsCipher.encrypt(plain, key: key) else { throw .cannotEncrypt }
        return .text(sealed)
    }

    private static func object(_ bytes: [UInt8]) -> JSONObject? {
        try? JSONParser.parse(bytes, options: .init(rejectDuplicateKeys: false)).objectValue
    }

    private static func settings(_ object: JSONObject) throws(SettingsError) -> Settings {
        do throws(SettingsShapeError) {
            return try Settings.defaults.merging(object)
        } catch {
            throw .wrongShape(error.key)
        }
    }
}
