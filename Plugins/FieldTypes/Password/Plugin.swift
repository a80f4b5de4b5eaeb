import PluginKit

final class PasswordPlugin: Plugin {
    static let info = PluginInfo(
        id: "org.roost.field.password", version: "1.0.0", name: "Password field", vendor: "Roost", license: "MIT")

    func register(_ host: Host) throws { try host.fieldType(PasswordField.self) }
}

@c(roost_plugin_entry) public func entry() -> UnsafeRawPointer { PluginEntry.descriptor(for: PasswordPlugin.self) }
