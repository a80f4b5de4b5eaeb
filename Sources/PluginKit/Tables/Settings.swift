internal import PluginABI
internal import Synchronization

/// The server's settings as a plugin wants to read them, kept until they change.
///
/// For example:
///
///     let names = ServerSettings { $0["meta"]?["appName"]?.stringValue ?? "" }
///     let name = try names.value(request.records)
public final class ServerSettings<Value: Sendable>: Sendable {
    private let read: @Sendable (JSON) -> Value
    private let kept = Mutex<(revision: UInt64, value: Value)?>(nil)

    /// - Parameter read: makes of the settings' JSON what the plugin needs. Passwords are among it with the capability
    ///   "secrets".
    public init(_ read: @escaping @Sendable (JSON) -> Value) { self.read = read }

    /// What the settings in force say. Any thread.
    ///
    /// - Parameter records: of the running call.
    public func value(_ records: Records) throws -> Value {
        guard let table = records.host.settingsTable else { throw HostError.denied(ROOST_TABLE_SETTINGS) }
        // Taken first: settings that change meanwhile are then read once more than needed, never once too seldom.
        let revision = table.pointee.revision?(records.host.raw) ?? 0
        if let value = kept.withLock({ $0?.revision == revision ? $0?.value : nil }) { return value }
        var out = roost_bytes()
        try check(table.pointee.get?(records.call.raw, &out))
        let value = read(try JSONParser.parse(out.buffer))
        kept.withLock { $0 = (revision, value) }
        return value
    }
}

extension Records {
    /// Changes the server's settings as `PATCH /api/settings` does. Worker threads only; needs the capability
    /// "superuser".
    ///
    /// - Throws: ``HostError`` with ``HostError/isRefusal`` when they are not valid; the old ones stay.
    public func updateSettings(_ patch: JSONObject) throws {
        guard let table = host.settingsTable else { throw HostError.denied(ROOST_TABLE_SETTINGS) }
        try check(JSON.object(patch).serializedBytes().withRoostBytes { table.pointee.update?(call.raw, $0) })
    }
}

extension Host {
    /// Whether the settings let superusers in from a client's address.
    public func admitsSuperuser(from address: String) -> Bool {
        address.withRoostBytes { settingsTable?.pointee.admits_superuser?(raw, $0) } == 1
    }
}
