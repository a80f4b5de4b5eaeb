package import Engine
internal import Glibc
internal import PluginABI

/// A storage that a plugin opened.
///
/// `@unchecked Sendable`: the place is the plugin's, whose functions are for any thread by the ABI.
final class PluginFileStorage: FileStorage, @unchecked Sendable {
    private let driver: PluginStorageDriver
    private let place: OpaquePointer

    init(driver: PluginStorageDriver, place: OpaquePointer) {
        self.driver = driver
        self.place = place
    }

    deinit { driver.table.pointee.close?(driver.table.pointee.storage, place) }

    var isElsewhere: Bool { true }

    func put(_ source: FileSource, as key: String, type: String, originalName: String) throws(FileError) {
        let reader = try SourceReader(source)
        let place = self.place
        try driver.call { table, call, error in
            withBytes(key) { key in
                withBytes(type) { type in
                    withBytes(LocalFileStorage.cut(originalName)) { name in
                        var file = roost_storage_file_v1()
                        file.key = key
                        file.size = UInt64(reader.size)
                        file.content_type = type
                        file.original_name = name
                        return table.put?(
                            table.storage, call.pointer, place, &file,
                            { user, offset, buffer, capacity in
                                guard let user, let buffer else { return -1 }
                                return Unmanaged<SourceReader>.fromOpaque(user).takeUnretainedValue()
                                    .read(
                                        at: offset,
                                        UnsafeMutableRawBufferPointer(start: buffer, count: Int(clamping: capacity)))
                            }, Unmanaged.passUnretained(reader).toOpaque(), &error)
                    }
                }
            }
        }
        withExtendedLifetime(reader) {}
    }

    func information(_ key: String) throws(FileError) -> FileInformation? {
        var result: FileInformation?
        let place = self.place
        do throws(FileError) {
            try driver.call { table, call, error in
                var file = roost_storage_file_v1()
                let status = withBytes(key) {
                    table.information?(table.storage, call.pointer, place, $0, &file, &error)
                }
                if status == ROOST_OK { result = FileInformation(key, file) }
                return status
            }
        } catch {
            if error.isMissing { return nil }
            throw error
        }
        return result
    }

    func read(
        _ key: String, _ range: Range<Int>?, version: String, into sink: any FileSink
    ) throws(FileError) {
        let reading = Reading(key, sink)
        let place = self.place
        do throws(FileError) {
            try driver.call { table, call, error in
                withBytes(key) { key in
                    withBytes(version) { version in
                        table.get?(
                            table.storage, call.pointer, place, key, version, UInt64(range?.lowerBound ?? 0),
                            range.map { UInt64($0.count) } ?? UInt64.max,
                            { user, file in
                                guard let user, let file else { return ROOST_EINVALID }
                                return Unmanaged<Reading>.fromOpaque(user).takeUnretainedValue().begin(file.pointee)
                            },
                            { user, piece in
                                guard let user else { return ROOST_EINVALID }
                                return Unmanaged<Reading>.fromOpaque(user).takeUnretainedValue().write(piece)
                            }, Unmanaged.passUnretained(reading).toOpaque(), &error)
                    }
                }
            }
        } catch {
            throw reading.isStopped ? .stopped : error
        }
        withExtendedLifetime(reading) {}
    }

    func remove(_ key: String) throws(FileError) {
        if key.hasSuffix("/") { return try removeAll(key) }
        let place = self.place
        try driver.call { table, call, error in
            withBytes(key) { table.remove?(table.storage, call.pointer, place, $0, &error) }
        }
        if let thumbs = Self.thumbs(of: key) { try removeAll(thumbs) }
    }

    func removeUnfinished(_ key: String) throws(FileError) { try removeAll(key) }

    private func removeAll(_ prefix: String) throws(FileError) {
        let place = self.place
        try driver.call { table, call, error in
            withBytes(prefix) { table.remove_all?(table.storage, call.pointer, place, $0, &error) }
        }
    }

    func list(_ prefix: String, _ body: (FileInformation) -> Bool) throws(FileError) {
        let place = self.place
        var isStopped = false
        do throws(FileError) {
            try withoutActuallyEscaping(body) { body throws(FileError) in
                let listing = Listing(body)
                defer { isStopped = listing.isStopped }
                try driver.call { table, call, error in
                    withBytes(prefix) { prefix in
                        table.list?(
                            table.storage, call.pointer, place, prefix,
                            { user, file in
                                guard let user, let file else { return ROOST_EINVALID }
                                return Unmanaged<Listing>.fromOpaque(user).takeUnretainedValue().take(file.pointee)
                            }, Unmanaged.passUnretained(listing).toOpaque(), &error)
                    }
                }
                withExtendedLifetime(listing) {}
            }
        } catch {
            if isStopped { return }
            throw error
        }
    }
}

extension FileInformation {
    fileprivate init(_ key: String, _ file: roost_storage_file_v1) {
        self.init(
            key: key, size: Int(clamping: file.size), modifiedMilliseconds: Int(file.modified),
            contentType: file.content_type.message, originalName: file.original_name.message,
            version: file.version.message)
    }
}

/// Hands what a plugin reads to a sink. On the thread of the call.
private final class Reading {
    private let key: String
    private let sink: any FileSink
    private(set) var isStopped = false

    init(_ key: String, _ sink: any FileSink) {
        self.key = key
        self.sink = sink
    }

    func begin(_ file: roost_storage_file_v1) -> roost_status { goOn(sink.begin(FileInformation(key, file))) }

    func write(_ piece: roost_bytes) -> roost_status {
        guard let buffer = piece.buffer else { return ROOST_EINVALID }
        return goOn(sink.write(UnsafeRawBufferPointer(buffer)))
    }

    private func goOn(_ wanted: Bool) -> roost_status {
        if wanted { return ROOST_OK }
        isStopped = true
        return ROOST_EFAILED
    }
}

/// Hands what a plugin lists to a body. On the thread of the call.
private final class Listing {
    private let body: (FileInformation) -> Bool
    private(set) var isStopped = false

    init(_ body: @escaping (FileInformation) -> Bool) { self.body = body }

    func take(_ file: roost_storage_file_v1) -> roost_status {
        if body(FileInformation(file.key.message, file)) { return ROOST_OK }
        isStopped = true
        return ROOST_EFAILED
    }
}

/// Reads what is to be stored, from several threads if the plugin likes.
private final class SourceReader: Sendable {
    let size: Int
    private let descriptor: Int32
    private let bytes: [UInt8]

    init(_ source: FileSource) throws(FileError) {
        switch source {
        case .bytes(let bytes):
            self.bytes = bytes
            size = bytes.count
            descriptor = -1
        case .file(let path), .temporary(let path):
            bytes = []
            descriptor = open(path, O_RDONLY | O_CLOEXEC)
            guard descriptor >= 0 else { throw .last("\(path) could not be read") }
            var status = stat()
            guard fstat(descriptor, &status) == 0 else { throw .last("\(path) could not be read") }
            size = Int(status.st_size)
        }
    }

    deinit { if descriptor >= 0 { close(descriptor) } }

    /// - Returns: how many bytes it read; -1 when it could not.
    func read(at offset: UInt64, _ buffer: UnsafeMutableRawBufferPointer) -> Int64 {
        guard let start = Int(exactly: offset), start < size else { return 0 }
        let wanted = min(buffer.count, size - start)
        guard descriptor >= 0 else {
            buffer.copyBytes(from: bytes[start..<(start + wanted)])
            return Int64(wanted)
        }
        while true {
            let count = pread(descriptor, buffer.baseAddress, wanted, start)
            if count >= 0 || errno != EINTR { return Int64(count) }
        }
    }
}
