internal import PluginABI

extension Host {
    /// Makes the plugin the one that stores files elsewhere. plugin.json must offer "roost.file-storage/1".
    ///
    /// - Parameter open: makes a place of settings (JSON with "bucket", "region", "endpoint", "accessKey", "secret",
    ///   "forcePathStyle"); connects to nothing, any thread. Throws a ``StorageError`` when they cannot be used.
    /// - Throws: ``HostError`` when another plugin does that already.
    public func offerFileStorage(_ open: @escaping @Sendable (JSON) throws -> any StoragePlace) throws {
        // Both live as long as the process.
        let box = Unmanaged.passRetained(OfferedStorage(self, open))
        let table = UnsafeMutablePointer<roost_file_storage_v1>.allocate(capacity: 1)
        table.initialize(
            to: roost_file_storage_v1(
                storage: box.toOpaque(),
                open: { storage, raw, settings, place, error in
                    OfferedStorage.run(storage, raw, error) { offered in
                        let opened = try offered.open(try JSONParser.parse(settings.buffer))
                        place?.pointee = OpaquePointer(Unmanaged.passRetained(PlaceBox(opened)).toOpaque())
                    }
                },
                close: { _, place in
                    guard let place else { return }
                    Unmanaged<PlaceBox>.fromOpaque(UnsafeRawPointer(place)).release()
                },
                put: { storage, raw, place, file, read, user, error in
                    guard let file, let read else { return ROOST_EINVALID }
                    let user = UInt(bitPattern: user)
                    return OfferedStorage.run(storage, raw, place, error) { place, _ in
                        let source = StorageSource(size: file.pointee.size) { offset, buffer in
                            Int(
                                read(
                                    UnsafeMutableRawPointer(bitPattern: user), offset,
                                    buffer.baseAddress?.assumingMemoryBound(to: UInt8.self), UInt64(buffer.count)))
                        }
                        try place.put(StorageFile(file.pointee), source)
                    }
                },
                information: { storage, raw, place, key, out, error in
                    guard let out else { return ROOST_EINVALID }
                    return OfferedStorage.run(storage, raw, place, error) { place, call in
                        let file = try place.information(key.string)
                        var crossing = roost_storage_file_v1()
                        (crossing.size, crossing.modified) = (file.size, file.modified)
                        guard let key = call.scratch(file.key), let type = call.scratch(file.contentType),
                            let name = call.scratch(file.originalName), let version = call.scratch(file.version)
                        else { throw HostError(status: ROOST_ENOMEM) }
                        (crossing.key, crossing.content_type) = (key, type)
                        (crossing.original_name, crossing.version) = (name, version)
                        out.pointee = crossing
                    }
                },
                get: { storage, raw, place, key, version, offset, length, begin, write, user, error in
                    guard let write else { return ROOST_EINVALID }
                    return OfferedStorage.run(storage, raw, place, error) { place, _ in
                        try place.get(
                            key.string, version: version.string, offset: offset,
                            length: length == UInt64.max ? nil : length,
                            begin: { file in
                                guard let begin else { return }
                                try Ended.check(file.withRoostFile { begin(user, &$0) })
                            },
                            write: { bytes in
                                try Ended.check(write(user, roost_bytes(bytes.assumingMemoryBound(to: UInt8.self))))
                            })
                    }
                },
                remove: { storage, raw, place, key, error in
                    OfferedStorage.run(storage, raw, place, error) { place, _ in try place.remove(key.string) }
                },
                remove_all: { storage, raw, place, prefix, error in
                    guard prefix.length > 0 else { return ROOST_EINVALID }
                    return OfferedStorage.run(storage, raw, place, error) { place, _ in
                        try place.removeAll(prefix.string)
                    }
                },
                list: { storage, raw, place, prefix, each, user, error in
                    guard let each else { return ROOST_EINVALID }
                    return OfferedStorage.run(storage, raw, place, error) { place, _ in
                        try place.list(prefix.string) { file in
                            try Ended.check(file.withRoostFile { each(user, &$0) })
                        }
                    }
                }, reserved: 0))
        try offer(ROOST_TABLE_FILE_STORAGE, table: UnsafeRawPointer(table))
    }
}

/// A callback that wanted no more, with its status.
private struct Ended: Error {
    let status: Int32

    static func check(_ status: Int32) throws { if status < 0 { throw Ended(status: status) } }
}

private final class PlaceBox: Sendable {
    let place: any StoragePlace
    init(_ place: any StoragePlace) { self.place = place }
}

private final class OfferedStorage: Sendable {
    let host: Host
    let open: @Sendable (JSON) throws -> any StoragePlace

    init(_ host: Host, _ open: @escaping @Sendable (JSON) throws -> any StoragePlace) {
        self.host = host
        self.open = open
    }

    static func run(
        _ storage: UnsafeMutableRawPointer?, _ raw: OpaquePointer?, _ error: UnsafeMutablePointer<roost_bytes>?,
        _ body: (OfferedStorage) throws -> Void
    ) -> roost_status {
        guard let storage, let raw else { return ROOST_EINVALID }
        let offered = Unmanaged<OfferedStorage>.fromOpaque(storage).takeUnretainedValue()
        let call = Call(raw, offered.host)
        do {
            try body(offered)
            return ROOST_OK
        } catch let ended as Ended {
            return ended.status
        } catch let failure as StorageError {
            if let words = call.scratch(failure.reason) { error?.pointee = words }
            return failure.status
        } catch let problem {
            if let words = call.scratch(String(describing: problem)) { error?.pointee = words }
            return ROOST_EFAILED
        }
    }

    static func run(
        _ storage: UnsafeMutableRawPointer?, _ raw: OpaquePointer?, _ place: OpaquePointer?,
        _ error: UnsafeMutablePointer<roost_bytes>?, _ body: (any StoragePlace, Call) throws -> Void
    ) -> roost_status {
        guard let place, let raw else { return ROOST_EINVALID }
        let box = Unmanaged<PlaceBox>.fromOpaque(UnsafeRawPointer(place)).takeUnretainedValue()
        return run(storage, raw, error) { try body(box.place, Call(raw, $0.host)) }
    }
}
