import CZip
import Glibc

/// Reads an archive that may come from anybody.
final class ZipReader {
    struct Entry {
        var index: Int64
        var name: String
        var size: UInt64
        var compressed: UInt64
        /// `st_mode`, or 0.
        var mode: UInt32
        var isEncrypted: Bool

        var isFolder: Bool { name.hasSuffix("/") || mode & 0o170000 == 0o040000 }
        /// Neither a file nor a folder: a link, a pipe, a device.
        var isOdd: Bool { ![0, 0o100000, 0o040000].contains(mode & 0o170000) }
    }

    private let archive: OpaquePointer

    init(path: String) throws(BackupError) {
        if let problem = roost_zip_load() { throw BackupError(String(cString: problem)) }
        var words: UnsafePointer<CChar>?
        guard let archive = roost_zip_open(path, &words) else {
            throw .refused("it is no whole zip archive (\(words.map { String(cString: $0) } ?? "no reason given")).")
        }
        self.archive = archive
    }

    deinit { roost_zip_discard(archive) }

    func entries() throws(BackupError) -> [Entry] {
        var entries: [Entry] = []
        for index in 0..<max(0, roost_zip_count(archive)) {
            var entry = roost_zip_entry()
            guard roost_zip_stat(archive, index, &entry) == 0, let name = entry.name else {
                throw .refused("its list of files is damaged.")
            }
            guard let name = String(validatingCString: name) else {
                throw .refused("the name of its file \(index) is no UTF-8.")
            }
            entries.append(
                Entry(
                    index: index, name: name, size: entry.size, compressed: entry.compressed, mode: entry.mode,
                    isEncrypted: entry.is_encrypted != 0))
        }
        return entries
    }

    /// Reads an entry in pieces.
    /// - Throws: what `body` throws; refused when it is damaged or longer than its entry says.
    func read(_ entry: Entry, _ body: (UnsafeRawBufferPointer) throws -> Void) throws {
        let damaged = BackupError.refused("\"\(entry.name)\" in it is damaged.")
        guard let file = roost_zip_open_entry(archive, entry.index) else { throw damaged }
        defer { roost_zip_close_entry(file) }
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 18, alignment: 16)
        defer { buffer.deallocate() }
        var total: UInt64 = 0
        while true {
            let count = roost_zip_read(file, buffer.baseAddress, UInt64(buffer.count))
            guard count >= 0 else { throw damaged }
            if count == 0 { break }
            total += UInt64(count)
            guard total <= entry.size else { throw damaged }
            try body(UnsafeRawBufferPointer(rebasing: buffer[..<Int(count)]))
        }
        guard total == entry.size else { throw damaged }
    }
}
