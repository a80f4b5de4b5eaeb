import PluginKit
@c(roost_plugin_entry) public func entry() -> UnsafeRawPointer { PluginEntry.descriptor(for: TextPlugin.self) }
final class TextPlugin: Plugin {
    static let info = PluginInfo(id: "org.roost.field.text", version: "1.0.0", name: "Text field")
    func register(_ host: Host) throws {}
}
