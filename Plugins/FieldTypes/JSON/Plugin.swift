import PluginKit

final class JSONPlugin: Plugin {
    static let info = PluginInfo(
        id: "org.roost.field.json", version: "1.0.0", name: "JSON field", vendor: "Roost", license: "MIT")

    func register(_ host: Host) throws { try host.fieldType(JSONField.self) }
}

@c(roost_plugin_entry) public func entry() -> UnsafeRawPointer { PluginEntry.descriptor(for: JSONPlugin.self) }
