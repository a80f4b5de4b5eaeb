import PluginKit

final class URLPlugin: Plugin {
    static let info = PluginInfo(
        id: "org.roost.field.url", version: "1.0.0", name: "URL field", vendor: "Roost", license: "MIT")

    func register(_ host: Host) throws { try host.fieldType(URLField.self) }
}

@c(roost_plugin_entry) public func entry() -> UnsafeRawPointer { PluginEntry.descriptor(for: URLPlugin.self) }
