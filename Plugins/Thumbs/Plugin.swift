import PluginKit
import Synchronization

final class ThumbsPlugin: Plugin {
    static let info = PluginInfo(
        id: "org.roost.thumbs", version: "1.0.0", name: "Thumbs", vendor: "Roost", license: "MIT")

    private let service = Mutex<ThumbService?>(nil)

    func register(_ host: Host) throws {
        let service = ThumbService(ThumbSettings(host.settings), log: host.log)
        try host.offerThumbMaker(service)
        self.service.withLock { $0 = service }
    }

    func stop() { service.withLock { $0 }?.stop() }
}

@c(roost_plugin_entry) public func entry() -> UnsafeRawPointer { PluginEntry.descriptor(for: ThumbsPlugin.self) }
