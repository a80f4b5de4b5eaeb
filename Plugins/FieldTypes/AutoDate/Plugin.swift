import PluginKit

final class AutoDatePlugin: Plugin {
    static let info = PluginInfo(
        id: "org.roost.field.autodate", version: "1.0.0", name: "Automatic date field", vendor: "Roost", license: "MIT")

    func register(_ host: Host) throws { try host.fieldType(AutoDateField.self) }
}

@c(roost_plugin_entry) public func entry() -> UnsafeRawPointer { PluginEntry.descriptor(for: AutoDatePlugin.self) }
