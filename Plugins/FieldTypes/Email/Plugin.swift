import PluginKit

final class EmailPlugin: Plugin {
    static let info = PluginInfo(
        id: "org.roost.field.email", version: "1.0.0", name: "E-mail field", vendor: "Roost", license: "MIT")

    func register(_ host: Host) throws { try host.fieldType(EmailField.self) }
}

@c(roost_plugin_entry) public func entry() -> UnsafeRawPointer { PluginEntry.descriptor(for: EmailPlugin.self) }
