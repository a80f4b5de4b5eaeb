import PluginKit

final class RealtimePlugin: Plugin {
    static let info = PluginInfo(
        id: "org.roost.realtime", version: "1.0.0", name: "Realtime", vendor: "Roost", license: "MIT")

    func register(_ host: Host) throws {
        let hub = Hub(host)
        hub.hooks = try host.offerRealtime(hub)
        try host.listen(hub)
        try ConnectRoute.add(to: host, hub)
        try SubscribeRoute.add(to: host, hub)
    }
}

@c(roost_plugin_entry) public func entry() -> UnsafeRawPointer { PluginEntry.descriptor(for: RealtimePlugin.self) }
