import PluginKit

final class RelationPlugin: Plugin {
    static let info = PluginInfo(
        id: "org.roost.field.relation", version: "1.0.0", name: "Relation field", vendor: "Roost", license: "MIT")

    func register(_ host: Host) throws { try host.fieldType(RelationField.self) }
}

@c(roost_plugin_entry) public func entry() -> UnsafeRawPointer { PluginEntry.descriptor(for: RelationPlugin.self) }
