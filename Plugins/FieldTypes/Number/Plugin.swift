import PluginKit

final class NumberPlugin: Plugin {
    static let info = PluginInfo(
        id: "org.roost.field.number", version: "1.0.0", name: "Number field", vendor: "Roost", license: "MIT")

    func register(_ host: Host) throws { try host.fieldType(NumberField.self) }
}

@c(roost_plugin_entry) public func entry() -> UnsafeRawPointer { PluginEntry.descriptor(for: NumberPlugin.self) }
