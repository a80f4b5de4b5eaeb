import PluginKit

final class FilePlugin: Plugin {
    static let info = PluginInfo(
        id: "org.roost.field.file", version: "1.0.0", name: "File field", vendor: "Roost", license: "MIT")

    func register(_ host: Host) throws { try host.fieldType(FileField.self) }
}

@c(roost_plugin_entry) public func entry() -> UnsafeRawPointer { PluginEntry.descriptor(for: FilePlugin.self) }
