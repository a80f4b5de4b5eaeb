import PluginKit

final class GeoPointPlugin: Plugin {
    static let info = PluginInfo(
        id: "org.roost.field.geopoint", version: "1.0.0", name: "Geo point field", vendor: "Roost", license: "MIT")

    func register(_ host: Host) throws { try host.fieldType(GeoPointField.self) }
}

@c(roost_plugin_entry) public func entry() -> UnsafeRawPointer { PluginEntry.descriptor(for: GeoPointPlugin.self) }
