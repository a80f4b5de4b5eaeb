import PluginKit

final class BoolPlugin: Plugin {
    static let info = PluginInfo(
        id: "org.roost.field.bool", version: "1.0.0", name: "Bool field", vendor: "Roost", license: "MIT")

    func register(_ host: Host) throws { try host.fieldType(BoolField.self) }
}

@c(roost_plugin_entry) public func entry() -> UnsafeRawPointer { PluginEntry.descriptor(for: BoolPlugin.self) }
