import PluginKit

final class FilesPlugin: Plugin {
    static let info = PluginInfo(
        id: "org.roost.files", version: "1.0.0", name: "Files", vendor: "Roost", license: "MIT")

    func register(_ host: Host) throws {
        try host.acceptUploads()
        try DownloadRoute.add(to: host)
        try FileTokenRoute.add(to: host)
    }
}

@c(roost_plugin_entry) public func entry() -> UnsafeRawPointer { PluginEntry.descriptor(for: FilesPlugin.self) }
