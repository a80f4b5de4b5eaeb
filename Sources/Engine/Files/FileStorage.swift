/// What is known of a stored file.
package struct FileInformation: Sendable {
    package var key: String
    /// Where it lies on this machine; nil when it lies elsewhere.
    package var path: String?
    /// In bytes.
    package var size: Int
    /// Milliseconds since 1970.
    package var modifiedMilliseconds: Int
    package var contentType: String
    /// What the client who brought it calls it; empty where that is not known.
    package var originalName: String
    /// Another text after each change; empty where there is none.
    package var version: String

    package init(
        key: String, path: String? = nil, size: Int, modifiedMilliseconds: Int, contentType: String = "",
        originalName: String = "", version: String = ""
    ) {
        self.key = key
        self.path = path
        self.size = size
        self.modifiedMilliseconds = modifiedMilliseconds
        self.contentType = contentType
        self.originalName = originalName
        self.version = version
    }

    /// Seconds since 1970.
    package var modified: Int { modifiedMilliseconds / 1000 }
}

/// What is to be stored.
package enum FileSource: Sendable {
    /// A file on this machine, which stays where it is.
    case file(path: String)
    /// A file on this machine, on the file system of the data folder, which nobody needs any more: it is moved where that
    /// is enough.
    case temporary(path: String)
    case bytes([UInt8])
}

/// Takes a file as it is read. On the thread that reads; may wait.
package protocol FileSink: AnyObject {
    /// Called before the first byte.
    /// - Returns: false to stop.
    func begin(_ file: FileInformation) -> Bool
    /// - Returns: false to stop.
    func write(_ bytes: UnsafeRawBufferPointer) -> Bool
}

/// Where files are kept: a folder of this machine (``LocalFileStorage``) or what a plugin reaches over a network.
///
/// Keys are relative paths with `/`. All functions wait, for a disk or for a network: on a worker thread or one of
/// ``FileKeeper/transfers``, never on an event loop and, where ``isElsewhere``, never inside a transaction.
package protocol FileStorage: Sendable {
    /// Whether the files lie behind a network.
    var isElsewhere: Bool { get }
    /// Stores a file, whole or not at all; what was there is replaced.
    func put(_ source: FileSource, as key: String, type: String, originalName: String) throws(FileError)
    /// What is stored under a key; nil when it is no file.
    func information(_ key: String) throws(FileError) -> FileInformation?
    /// Reads a file, or bytes of it, into a sink.
    ///
    /// - Parameters:
    ///   - range: nil for the whole file; may end behind it.
    ///   - version: what an earlier ``FileInformation`` said; the empty one is any.
    /// - Throws: missing, changed, stopped (by the sink), or what went wrong, possibly after some of the bytes.
    func read(_ key: String, _ range: Range<Int>?, version: String, into sink: any FileSink) throws(FileError)
    /// Removes a file with its thumbs; with a key that ends in a slash, everything below it. What is not there is
    /// removed already.
    func remove(_ key: String) throws(FileError)
    /// Removes what an upload left under a key that may never have come to its end.
    func removeUnfinished(_ key: String) throws(FileError)
    /// Gives the files whose keys begin with a prefix to `body`, until it returns false. Type and original name are not
    /// among what it gets.
    func list(_ prefix: String, _ body: (FileInformation) -> Bool) throws(FileError)
}

extension FileStorage {
    /// Copies a file to a new path of this machine.
    /// - Returns: what is known of it.
    @discardableResult
    package func fetch(_ key: String, to path: String) throws(FileError) -> FileInformation {
        let sink = try FileCopy(path)
        do throws(FileError) {
            try read(key, nil, version: "", into: sink)
            return try sink.finish()
        } catch {
            sink.discard()
            // The copy stopped for a reason of its own.
            throw sink.failure ?? error
        }
    }

    /// The first characters of a key's thumbs; nil for what has none.
    package static func thumbs(of key: String) -> String? {
        guard let slash = key.lastIndex(of: "/"), key.index(after: slash) < key.endIndex else { return nil }
        return "\(key[..<slash])/thumbs_\(key[key.index(after: slash)...])/"
    }
}

/// Opens storages elsewhere: what a plugin offers as "roost.file-storage/1".
package protocol FileStorageDriver: Sendable {
    /// - Throws: when the settings cannot be used. Connects to nothing.
    func open(_ settings: Settings.S3) throws(FileError) -> any FileStorage
}

/// A storage that cannot be used, and why.
struct UnusableStorage: FileStorage {
    let error: FileError
    var isElsewhere: Bool { true }

    func put(_ source: FileSource, as key: String, type: String, originalName: String) throws(FileError) {
        throw error
    }
    func information(_ key: String) throws(FileError) -> FileInformation? { throw error }
    func read(_ key: String, _ range: Range<Int>?, version: String, into sink: any FileSink) throws(FileError) {
        throw error
    }
    func remove(_ key: String) throws(FileError) { throw error }
    func removeUnfinished(_ key: String) throws(FileError) { throw error }
    func list(_ prefix: String, _ body: (FileInformation) -> Bool) throws(FileError) { throw error }
}
