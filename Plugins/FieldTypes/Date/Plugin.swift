import PluginKit

final class DatePlugin: Plugin {
    static let info = PluginInfo(
        id: "org.roost.field.date", version: "1.0.0", name: "Date field", vendor: "Roost", license: "MIT")

    func register(_ host: Host) throws { try host.fieldType(DateField.self) }
}

@c(roost_plugin_entry) public func entry() -> UnsafeRawPointer { PluginEntry.descriptor(for: DatePlugin.self) }
