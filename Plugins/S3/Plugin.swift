import PluginKit

final class S3Plugin: Plugin {
    static let info = PluginInfo(
        id: "org.roost.s3", version: "1.0.0", name: "S3", vendor: "Roost", license: "MIT")

    func register(_ host: Host) throws {
        try host.offerFileStorage { S3Bucket(try S3Settings($0)) }
    }
}

@c(roost_plugin_entry) public func entry() -> UnsafeRawPointer { PluginEntry.descriptor(for: S3Plugin.self) }
