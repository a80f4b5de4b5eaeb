package import Engine
internal import JSON
internal import PluginABI
internal import Synchronization

extension PluginHost {
    /// What opens file storages elsewhere: the plugin that offers "roost.file-storage/1"; nil where none does.
    package var fileStorage: (any FileStorageDriver)? {
        guard let offered = services.accepted.withLock({ $0.tables[ROOST_TABLE_FILE_STORAGE] }),
            let plugin = loadedPlugin(offered.plugin)
        else { return nil }
        return PluginStorageDriver(plugin: plugin, offered: offered.table)
    }
}

/// Opens storages through a plugin's "roost.file-storage/1".
struct PluginStorageDriver: FileStorageDriver {
    let plugin: LoadedPlugin
    let offered: TablePointer

    var table: UnsafePointer<roost_file_storage_v1> {
        offered.raw.assumingMemoryBound(to: roost_file_storage_v1.self)
    }

    func open(_ settings: Settings.S3) throws(FileError) -> any FileStorage {
        let json: JSON = [
            "bucket": .string(settings.bucket), "region": .string(settings.region),
            "endpoint": .string(settings.endpoint), "accessKey": .string(settings.accessKey),
            "secret": .string(settings.secret), "forcePathStyle": .bool(settings.forcePathStyle),
        ]
        var place: OpaquePointer?
        try call { table, call, error in
            withBytes(json.serialized()) { table.open?(table.storage, call.pointer, $0, &place, &error) }
        }
        guard let place else { throw .failed("\(plugin.id) opened no storage.") }
        return PluginFileStorage(driver: self, place: place)
    }

    /// Calls one of the table's functions and makes an error of what it says.
    func call(
        _ body: (roost_file_storage_v1, PluginCall, inout roost_bytes) -> roost_status?
    ) throws(FileError) {
        // A process that ends has stopped its plugins.
        guard plugin.isUsable else { throw .failed("\(plugin.id) has been stopped.") }
        let failure = ThreadRole.with(.worker) {
            withCall(plugin) { call -> (roost_status, String)? in
                var error = roost_bytes()
                let status = body(table.pointee, call, &error) ?? ROOST_EUNSUPPORTED
                if status >= 0 { return nil }
                return (status, error.length > 0 ? error.message : call.words)
            }
        }
        guard let (status, words) = failure else { return }
        let reason = words.isEmpty ? "\(plugin.id) says \(PluginLoader.name(status))." : words
        switch status {
        case ROOST_ENOTFOUND: throw .missing(reason)
        case ROOST_EDENIED: throw .denied(reason)
        case ROOST_ECONFLICT: throw .changed(reason)
        default: throw .failed(reason)
        }
    }
}
