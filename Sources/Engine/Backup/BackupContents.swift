import Glibc
import Store
import Synchronization

/// Says that a backup is to come to nothing; asked between pieces.
final class BackupStop: Sendable {
    private let isSet = Atomic<Bool>(false)
    func set() { isSet.store(true, ordering: .releasing) }
    func check() throws(BackupError) { if isSet.load(ordering: .acquiring) { throw .stopped } }
}

/// A database that is frozen while the archive is written.
final class FrozenContent: ZipWriter.Content {
    private let file: FrozenFile
    private let stop: BackupStop
    private var offset: Int64 = 0

    init(_ file: FrozenFile, _ stop: BackupStop) {
        self.file = file
        self.stop = stop
    }

    func open() { offset = 0 }

    func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
        try stop.check()
        let count = try file.read(into: buffer, at: offset)
        offset += Int64(count)
        return count
    }

    func close() {}
}

/// A file of the data folder, opened when its turn comes.
final class FileContent: ZipWriter.Content {
    private let path: String
    private let size: Int64
    private let stop: BackupStop
    private var descriptor: Int32 = -1
    private var left: Int64 = 0

    init(path: String, size: Int64, _ stop: BackupStop) {
        self.path = path
        self.size = size
        self.stop = stop
    }

    deinit { close() }

    func open() throws {
        close()
        descriptor = Glibc.open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC)
        guard descriptor >= 0 else { throw FileError.last("\(path) could not be read") }
        left = size
    }

    func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
        try stop.check()
        // A file that grows meanwhile is kept as long as it was.
        let wanted = Int(min(Int64(buffer.count), left))
        guard wanted > 0 else { return 0 }
        while true {
            let count = Glibc.read(descriptor, buffer.baseAddress, wanted)
            if count < 0 && errno == EINTR { continue }
            guard count >= 0 else { throw FileError.last("\(path) could not be read") }
            left -= Int64(count)
            return count
        }
    }

    func close() {
        if descriptor >= 0 { Glibc.close(descriptor) }
        descriptor = -1
    }

    /// Whether packing is worth its while: pictures, films and archives are packed already.
    static func compresses(_ name: String) -> Bool {
        guard let dot = name.lastIndex(of: ".") else { return true }
        return !packed.contains(name[name.index(after: dot)...].lowercased())
    }

    private static let packed: Set<String> = [
        "jpg", "jpeg", "png", "gif", "webp", "avif", "heic", "mp4", "m4a", "m4v", "mov", "webm", "mkv", "mp3", "ogg",
        "opus", "flac", "zip", "gz", "tgz", "bz2", "xz", "zst", "7z", "rar", "docx", "xlsx", "pptx", "odt", "ods",
        "woff2",
    ]
}
