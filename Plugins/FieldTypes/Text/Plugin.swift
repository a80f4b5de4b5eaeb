import PluginKit

final class TextPlugin: Plugin {
    static let info = PluginInfo(
        id: "org.roost.field.text", version: "1.0.0", name: "Text field", vendor: "Roost", license: "MIT")

    func register(_ host: Host) throws { try host.fieldType(TextField.self) }
}

@c(roost_plugin_entry) public func entry() -> UnsafeRawPointer { PluginEntry.descriptor(for: TextPlugin.self) }
