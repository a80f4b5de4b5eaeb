import PluginKit

final class EditorPlugin: Plugin {
    static let info = PluginInfo(
        id: "org.roost.field.editor", version: "1.0.0", name: "Rich text field", vendor: "Roost", license: "MIT")

    func register(_ host: Host) throws { try host.fieldType(EditorField.self) }
}

@c(roost_plugin_entry) public func entry() -> UnsafeRawPointer { PluginEntry.descriptor(for: EditorPlugin.self) }
