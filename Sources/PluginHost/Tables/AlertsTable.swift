internal import Engine
internal import JSON
internal import PluginABI
internal import Synchronization

/// "roost.alerts/1".
enum AlertsTable {
    static func make() -> roost_alerts_v1 {
        roost_alerts_v1(
            listen: { host, listener in
                guard let plugin = LoadedPlugin.from(host), let listener = listener?.pointee,
                    let handler = listener.handler
                else { return ROOST_EINVALID }
                guard plugin.phase == .initialising else { return ROOST_ETHREAD }
                let user = PluginUser(listener.user, free: listener.free)
                user.adopt()
                let registered = PluginAlertListener(plugin: plugin, user: user, handler: handler)
                plugin.registrations.withLock { $0.alertListeners.append(registered) }
                return ROOST_OK
            },
            raise: { host, alert in
                guard let plugin = LoadedPlugin.from(host), let bytes = alert.buffer,
                    let alert = (try? JSONParser.parse(Array(bytes))).flatMap({ Alert($0) })
                else { return ROOST_EINVALID }
                guard let alerts = plugin.services.alerts else { return ROOST_EUNSUPPORTED }
                return alerts.raise(alert) ? ROOST_OK : ROOST_EFAILED
            }, reserved: 0)
    }
}

/// A plugin's function that is told of alerts.
struct PluginAlertListener: Sendable {
    let plugin: LoadedPlugin
    let user: PluginUser
    let handler: roost_alert_handler

    func tell(_ alert: Alert) throws {
        // A plugin that failed to start, or was stopped, is not called any more.
        guard plugin.phase == .running else { return }
        try ThreadRole.with(.worker) {
            try withCall(plugin) { call in
                let status = withBytes(alert.json.serialized()) { handler(user.pointer, call.pointer, $0) }
                if status < 0 { throw call.error(status) }
            }
        }
    }
}
