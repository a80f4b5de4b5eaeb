internal import PluginABI

/// The plugin that stores files elsewhere, as others see it.
///
/// `@unchecked Sendable`: the table is the offering plugin's and lives for ever.
public final class FileStorages: @unchecked Sendable {
    fileprivate let table: UnsafePointer<roost_file_storage_v1>

    /// - Returns: nil when no plugin stores files elsewhere.
    public init?(_ host: Host) {
        guard let table = host.table(ROOST_TABLE_FILE_STORAGE) else { return nil }
        self.table = table.assumingMemoryBound(to: roost_file_storage_v1.self)
    }

    /// Makes a place of settings, e.g. of the member `backups.s3` of the server's. Connects to nothing.
    ///
    /// - Parameter settings: with "bucket", "region", "endpoint", "accessKey", "secret" and "forcePathStyle".
    public func open(_ settings: JSON, _ records: Records) throws(StorageError) -> RemotePlace {
        var place: OpaquePointer?
        let table = self.table.pointee
        try RemotePlace.check { error in
            settings.serializedBytes().withRoostBytes {
                table.open?(table.storage, records.call.raw, $0, &place, &error)
            }
        }
        guard let place else { throw StorageError(.failed, "No storage was opened.") }
        return RemotePlace(self, place)
    }
}

/// A place in another plugin's storage. Worker threads, never inside a transaction; every function may wait.
///
/// `@unchecked Sendable`: the place may be used by any thread.
public final class RemotePlace: @unchecked Sendable {
    private let storages: FileStorages
    private let place: OpaquePointer

    fileprivate init(_ storages: FileStorages, _ place: OpaquePointer) {
        self.storages = storages
        self.place = place
    }

    deinit { table.close?(table.storage, place) }

    private var table: roost_file_storage_v1 { storages.table.pointee }

    fileprivate static func check(_ body: (inout roost_bytes) -> roost_status?) throws(StorageError) {
        var error = roost_bytes()
        let status = body(&error) ?? ROOST_EUNSUPPORTED
        if status < 0 { throw StorageError(status: status, reason: error.string) }
    }

    /// Stores a file, whole or not at all.
    public func put(_ file: StorageFile, _ source: StorageSource, _ records: Records) throws(StorageError) {
        var file = file
        file.size = source.size
        let box = Unmanaged.passRetained(SourceBox(source))
        defer { box.release() }
        try Self.check { error in
            file.withRoostFile { file in
                table.put?(
                    table.storage, records.call.raw, place, &file,
                    { user, offset, buffer, capacity in
                        guard let user, let buffer else { return -1 }
                        let source = Unmanaged<SourceBox>.fromOpaque(user).takeUnretainedValue().source
                        return Int64(
                            source.read(
                                at: offset,
                                into: UnsafeMutableRawBufferPointer(start: buffer, count: Int(clamping: capacity))))
                    }, box.toOpaque(), &error)
            }
        }
    }

    /// What is known of a file; nil when there is none.
    public func information(_ key: String, _ records: Records) throws(StorageError) -> StorageFile? {
        var out = roost_storage_file_v1()
        do throws(StorageError) {
            try Self.check { error in
                key.withRoostBytes {
                    table.information?(table.storage, records.call.raw, place, $0, &out, &error)
                }
            }
        } catch {
            if error.kind == .missing { return nil }
            throw error
        }
        return StorageFile(out)
    }

    /// Reads bytes of a file in order.
    ///
    /// - Parameters:
    ///   - length: nil for all that follow.
    ///   - write: takes the next bytes, on this thread; false ends the reading with ``StorageError/stopped``.
    public func get(
        _ key: String, version: String = "", offset: UInt64 = 0, length: UInt64? = nil, _ records: Records,
        write: (UnsafeRawBufferPointer) -> Bool
    ) throws(StorageError) {
        var isStopped = false
        do throws(StorageError) {
            try withoutActuallyEscaping(write) { write throws(StorageError) in
                let box = WriteBox(write)
                defer { isStopped = box.isStopped }
                try Self.check { error in
                    key.withRoostBytes { key in
                        version.withRoostBytes { version in
                            table.get?(
                                table.storage, records.call.raw, place, key, version, offset, length ?? UInt64.max, nil,
                                { user, piece in
                                    guard let user else { return ROOST_EINVALID }
                                    return Unmanaged<WriteBox>.fromOpaque(user).takeUnretainedValue().take(piece)
                                }, Unmanaged.passUnretained(box).toOpaque(), &error)
                        }
                    }
                }
                withExtendedLifetime(box) {}
            }
        } catch { throw isStopped ? .stopped : error }
    }

    /// Removes a file. One that is not there is removed already.
    public func remove(_ key: String, _ records: Records) throws(StorageError) {
        try Self.check { error in
            key.withRoostBytes { table.remove?(table.storage, records.call.raw, place, $0, &error) }
        }
    }

    /// Removes every file whose key begins with a prefix.
    public func removeAll(_ prefix: String, _ records: Records) throws(StorageError) {
        try Self.check { error in
            prefix.withRoostBytes { table.remove_all?(table.storage, records.call.raw, place, $0, &error) }
        }
    }

    /// The files whose keys begin with a prefix, in the order of their keys.
    public func list(_ prefix: String, _ records: Records) throws(StorageError) -> [StorageFile] {
        let box = ListBox()
        try Self.check { error in
            prefix.withRoostBytes {
                table.list?(
                    table.storage, records.call.raw, place, $0,
                    { user, file in
                        guard let user, let file else { return ROOST_EINVALID }
                        Unmanaged<ListBox>.fromOpaque(user).takeUnretainedValue().files.append(
                            StorageFile(file.pointee))
                        return ROOST_OK
                    }, Unmanaged.passUnretained(box).toOpaque(), &error)
            }
        }
        return box.files
    }
}

private final class SourceBox: Sendable {
    let source: StorageSource
    init(_ source: StorageSource) { self.source = source }
}

private final class WriteBox {
    private let write: (UnsafeRawBufferPointer) -> Bool
    private(set) var isStopped = false

    init(_ write: @escaping (UnsafeRawBufferPointer) -> Bool) { self.write = write }

    func take(_ piece: roost_bytes) -> roost_status {
        if write(UnsafeRawBufferPointer(piece.buffer)) { return ROOST_OK }
        isStopped = true
        return ROOST_EFAILED
    }
}

private final class ListBox {
    var files: [StorageFile] = []
}
