internal import PluginABI

/// A file in a storage, as "roost/file_storage.h" describes it. Members that are not known are empty or 0.
public struct StorageFile: Sendable, Equatable {
    public var key: String
    /// In bytes.
    public var size: UInt64
    /// Milliseconds since 1970.
    public var modified: Int64
    public var contentType: String
    /// What the client who brought it calls it.
    public var originalName: String
    /// Another text after each change.
    public var version: String

    public init(
        key: String, size: UInt64 = 0, modified: Int64 = 0, contentType: String = "", originalName: String = "",
        version: String = ""
    ) {
        self.key = key
        self.size = size
        self.modified = modified
        self.contentType = contentType
        self.originalName = originalName
        self.version = version
    }

    init(_ file: roost_storage_file_v1) {
        self.init(
            key: file.key.string, size: file.size, modified: file.modified, contentType: file.content_type.string,
            originalName: file.original_name.string, version: file.version.string)
    }

    /// Lends the file to a call.
    func withRoostFile<Result>(_ body: (inout roost_storage_file_v1) throws -> Result) rethrows -> Result {
        try key.withRoostBytes { key in
            try contentType.withRoostBytes { type in
                try originalName.withRoostBytes { name in
                    try version.withRoostBytes { version in
                        var file = roost_storage_file_v1()
                        (file.key, file.size, file.modified) = (key, size, modified)
                        (file.content_type, file.original_name, file.version) = (type, name, version)
                        return try body(&file)
                    }
                }
            }
        }
    }
}

/// Why a storage did not do what it was asked for.
public struct StorageError: Error, Sendable, CustomStringConvertible {
    public enum Kind: Sendable { case missing, denied, changed, invalid, failed, stopped }

    public let kind: Kind
    /// One sentence for the operator.
    public let reason: String
    public var description: String { reason }

    public init(_ kind: Kind, _ reason: String) {
        self.kind = kind
        self.reason = reason
    }

    /// Who reads or lists wants no more.
    public static let stopped = StorageError(.stopped, "Nobody wants the rest.")

    init(status: Int32, reason: String) {
        kind =
            switch status {
            case ROOST_ENOTFOUND: .missing
            case ROOST_EDENIED: .denied
            case ROOST_ECONFLICT: .changed
            case ROOST_EINVALID: .invalid
            default: .failed
            }
        self.reason = reason.isEmpty ? HostError(status: status).description : reason
    }

    var status: Int32 {
        switch kind {
        case .missing: ROOST_ENOTFOUND
        case .denied: ROOST_EDENIED
        case .changed: ROOST_ECONFLICT
        case .invalid: ROOST_EINVALID
        case .failed, .stopped: ROOST_EFAILED
        }
    }
}

/// The bytes of a file that is to be stored. Any thread, and several at once.
public struct StorageSource: Sendable {
    /// In bytes.
    public let size: UInt64
    private let reader: @Sendable (UInt64, UnsafeMutableRawBufferPointer) -> Int

    /// - Parameter read: puts bytes of the file from an offset on into a buffer and returns how many; 0 and less fails.
    public init(size: UInt64, read: @escaping @Sendable (UInt64, UnsafeMutableRawBufferPointer) -> Int) {
        self.size = size
        reader = read
    }

    public init(bytes: [UInt8]) {
        self.init(size: UInt64(bytes.count)) { offset, buffer in
            guard let start = Int(exactly: offset), start < bytes.count else { return 0 }
            let count = min(buffer.count, bytes.count - start)
            buffer.copyBytes(from: bytes[start..<(start + count)])
            return count
        }
    }

    /// Reads up to a buffer's size from an offset on.
    public func read(at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer) -> Int { reader(offset, buffer) }
}

/// Somewhere that files are kept. Worker threads, several at once; every function may wait.
///
/// What these functions throw is a ``StorageError``; others count as failed.
public protocol StoragePlace: AnyObject, Sendable {
    /// Stores a file, whole or not at all.
    func put(_ file: StorageFile, _ source: StorageSource) throws
    /// What is known of a file.
    func information(_ key: String) throws -> StorageFile
    /// Reads bytes of a file in order.
    ///
    /// - Parameters:
    ///   - version: empty, or what the file's must still be.
    ///   - length: nil for all that follow.
    ///   - begin: called once before the first byte; what it throws ends the reading.
    ///   - write: takes the bytes; may wait, and what it throws ends the reading.
    func get(
        _ key: String, version: String, offset: UInt64, length: UInt64?, begin: (StorageFile) throws -> Void,
        write: (UnsafeRawBufferPointer) throws -> Void
    ) throws
    /// Removes a file. One that is not there is removed already.
    func remove(_ key: String) throws
    /// Removes every file whose key begins with a prefix, and what uploads left there that never came to their end.
    func removeAll(_ prefix: String) throws
    /// Gives every file whose key begins with a prefix to `each`, in the order of their keys; what it throws ends the
    /// list.
    func list(_ prefix: String, each: (StorageFile) throws -> Void) throws
}
