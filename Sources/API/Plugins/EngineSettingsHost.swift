package import Engine
package import JSON
import PluginHost
import Store

/// The engine's settings for "roost.settings/1".
package struct EngineSettingsHost: SettingsHost {
    private let engine: Engine
    private var store: SettingsStore { engine.settings }

    package init(engine: Engine) { self.engine = engine }

    package var revision: UInt64 { store.snapshot.revision }

    package func json(showsSecrets: Bool) -> JSON {
        let settings = store.current
        return showsSecrets ? settings.storedJSON : settings.publicJSON
    }

    package func update(with patch: JSONObject) throws {
        let store = store
        try engine.data.writeAndWait { try store.update(with: patch, in: $0) }
    }

    package func admitsSuperuser(from address: String) -> Bool {
        let allowed = store.snapshot.superuserIPs
        return allowed.isEmpty || allowed.contains(address)
    }
}
