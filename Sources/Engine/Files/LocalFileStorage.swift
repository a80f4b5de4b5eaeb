import Glibc
import JSON

/// Files in `pb_data/storage`, laid out as PocketBase lays them out: `<collection>/<record>/<name>` and beside each file
/// `<name>.attrs`, a JSON object with its type. Any thread; waits for the disk.
package struct LocalFileStorage: FileStorage {
    package let root: String

    package init(root: String) { self.root = root }

    package var isElsewhere: Bool { false }

    /// The path of a key; nil for one that leads elsewhere or nowhere.
    package func path(_ key: String) -> String? {
        // By bytes: to Swift a slash with a combining mark is another character.
        let parts = key.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        let isPlain = parts.allSatisfy { part in
            !part.isEmpty && !part.elementsEqual(".".utf8) && !part.elementsEqual("..".utf8) && part.count <= 255
                && !part.contains(0)
        }
        return isPlain && key.utf8.count <= 2000 ? "\(root)/\(key)" : nil
    }

    /// What is stored under a key; nil when it is no file.
    package func information(_ key: String) -> FileInformation? {
        guard !key.hasSuffix(".attrs"), let path = path(key) else { return nil }
        var status = stat()
        guard stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return nil }
        var information = Self.information(key, status)
        information.path = path
        information.contentType = "application/octet-stream"
        if let bytes = FileSystem.read(path + ".attrs", limit: 64 << 10),
            let attributes = try? JSONParser.parse(bytes),
            let type = attributes["user.content_type"]?.stringValue, !type.isEmpty
        {
            information.contentType = type
        }
        return information
    }

    private static func information(_ key: String, _ status: stat) -> FileInformation {
        FileInformation(
            key: key, size: Int(status.st_size),
            modifiedMilliseconds: Int(status.st_mtim.tv_sec) * 1000 + Int(status.st_mtim.tv_nsec) / 1_000_000)
    }

    /// Brings a file to its place, with what is known of it.
    package func put(_ source: FileSource, as key: String, type: String, originalName: String) throws(FileError) {
        guard let path = path(key) else { throw FileError("The file name cannot be used", EINVAL) }
        let folder = String(path[..<(path.lastIndex(of: "/") ?? path.startIndex)])
        try FileSystem.makeFolders(folder)
        var temporary = "\(folder)/.\(RandomText.make(20, from: RandomText.lowercase))"
        switch source {
        case .temporary(let file): temporary = file
        case .file(let file): try FileSystem.copy(file, to: temporary)
        case .bytes(let bytes): try FileSystem.write(bytes, to: temporary)
        }
        let attributes: JSON = [
            "user.cache_control": "", "user.content_disposition": "", "user.content_encoding": "",
            "user.content_language": "", "user.content_type": .string(type),
            "user.metadata": originalName.isEmpty
                ? .object(JSONObject()) : ["original-filename": .string(Self.cut(originalName))],
            "md5": .null,
        ]
        do throws(FileError) {
            try FileSystem.write(attributes.serializedBytes() + [0x0A], to: path + ".attrs")
            guard rename(temporary, path) == 0 else { throw FileError("The file could not be put in its place") }
        } catch {
            unlink(path + ".attrs")
            if case .temporary = source {} else { unlink(temporary) }
            throw error
        }
        FileSystem.synchronise(folder: folder)
    }

    /// The first 255 bytes, of whole characters.
    package static func cut(_ text: String) -> String {
        if text.utf8.count <= 255 { return text }
        var end = text.utf8.index(text.startIndex, offsetBy: 255)
        while end > text.startIndex, String.Index(end, within: text) == nil { end = text.utf8.index(before: end) }
        return String(text[..<end])
    }

    package func read(
        _ key: String, _ range: Range<Int>?, version: String, into sink: any FileSink
    ) throws(FileError) {
        guard let information = information(key), let path = information.path else {
            throw FileError("There is no such file", ENOENT)
        }
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw FileError("A file could not be read") }
        defer { close(descriptor) }
        guard sink.begin(information) else { throw .stopped }
        let end = min(range?.upperBound ?? information.size, information.size)
        var offset = range?.lowerBound ?? 0
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 18, alignment: 16)
        defer { buffer.deallocate() }
        while offset < end {
            let count = pread(descriptor, buffer.baseAddress, min(buffer.count, end - offset), offset)
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { throw FileError("A file could not be read", count == 0 ? EIO : errno) }
            guard sink.write(UnsafeRawBufferPointer(rebasing: buffer[..<count])) else { throw .stopped }
            offset += count
        }
    }

    package func list(_ prefix: String, _ body: (FileInformation) -> Bool) throws(FileError) {
        _ = list(folder: "", prefix: prefix, body)
    }

    /// - Returns: false when the body wants no more.
    private func list(folder: String, prefix: String, _ body: (FileInformation) -> Bool) -> Bool {
        for name in FileSystem.names(in: folder.isEmpty ? root : "\(root)/\(folder)").sorted() {
            let key = folder.isEmpty ? name : "\(folder)/\(name)"
            var status = stat()
            guard lstat("\(root)/\(key)", &status) == 0 else { continue }
            if status.st_mode & S_IFMT == S_IFDIR {
                let below = key + "/"
                guard below.hasPrefix(prefix) || prefix.hasPrefix(below) else { continue }
                if !list(folder: key, prefix: prefix, body) { return false }
            } else if key.hasPrefix(prefix), status.st_mode & S_IFMT == S_IFREG, !name.hasSuffix(".attrs"),
                !name.hasPrefix(".")
            {
                if !body(Self.information(key, status)) { return false }
            }
        }
        return true
    }

    /// A file gets to its place at once or not at all.
    package func removeUnfinished(_ key: String) throws(FileError) { try remove(key) }

    /// Removes a file with its thumbs, or with a key that ends in a slash everything below it. What is not there is
    /// removed already.
    package func remove(_ key: String) throws(FileError) {
        if key.hasSuffix("/") {
            guard let path = path(String(key.dropLast())) else { return }
            return try FileSystem.removeTree(path)
        }
        guard let path = path(key) else { return }
        for file in [path, path + ".attrs"] where unlink(file) != 0 && errno != ENOENT && errno != ENOTDIR {
            throw FileError("A file could not be removed")
        }
        if let slash = path.lastIndex(of: "/") {
            try FileSystem.removeTree("\(path[..<slash])/thumbs_\(path[path.index(after: slash)...])")
            rmdir(String(path[..<slash]))
        }
    }
}
