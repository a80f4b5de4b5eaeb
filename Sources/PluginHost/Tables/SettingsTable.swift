package import JSON
internal import PluginABI

/// Where the server's settings are read for plugins. Any thread.
package protocol SettingsHost: Sendable {
    /// Another number after each change.
    var revision: UInt64 { get }
    /// The settings in force.
    /// - Parameter showsSecrets: whether passwords and keys are among them.
    func json(showsSecrets: Bool) -> JSON
    /// Merges, validates and stores; waits for the commit. Not inside a transaction.
    func update(with patch: JSONObject) throws
    /// Whether superusers may act from an address.
    func admitsSuperuser(from address: String) -> Bool
}

/// "roost.settings/1".
enum SettingsTable {
    static func make() -> roost_settings_v1 {
        roost_settings_v1(
            get: { call, out in
                guard let call = PluginCall.from(call), let out, let owner = call.owner else { return ROOST_EINVALID }
                out.pointee = roost_bytes()
                guard let settings = owner.services.settings else { return ROOST_EUNSUPPORTED }
                let json = settings.json(showsSecrets: owner.isGranted(.secrets))
                guard let bytes = call.copy(json.serialized()) else { return ROOST_ENOMEM }
                out.pointee = bytes
                return ROOST_OK
            },
            revision: { host in LoadedPlugin.from(host)?.services.settings?.revision ?? 0 },
            update: { call, patch in
                guard let call = PluginCall.from(call), let owner = call.owner, let patch = patch.object else {
                    return ROOST_EINVALID
                }
                guard owner.isGranted(.superuser) else { return ROOST_EDENIED }
                guard ThreadRole.current == .worker else { return ROOST_ETHREAD }
                guard let settings = owner.services.settings else { return ROOST_EUNSUPPORTED }
                do {
                    try settings.update(with: patch)
                    return ROOST_OK
                } catch {
                    call.keep(error)
                    return ROOST_EFAILED
                }
            },
            admits_superuser: { host, address in
                guard let settings = LoadedPlugin.from(host)?.services.settings, let address = address.text else {
                    return 0
                }
                return settings.admitsSuperuser(from: address) ? 1 : 0
            })
    }
}
