import PluginKit

final class SelectPlugin: Plugin {
    static let info = PluginInfo(
        id: "org.roost.field.select", version: "1.0.0", name: "Select field", vendor: "Roost", license: "MIT")

    func register(_ host: Host) throws { try host.fieldType(SelectField.self) }
}

@c(roost_plugin_entry) public func entry() -> UnsafeRawPointer { PluginEntry.descriptor(for: SelectPlugin.self) }
