import PluginKit
import Transfers

/// A bucket as a storage.
final class S3Bucket: StoragePlace {
    let client: S3Client

    init(_ settings: S3Settings) { client = S3Client(settings) }

    // MARK: - Storing

    func put(_ file: StorageFile, _ source: StorageSource) throws {
        var headers: [(String, String)] = []
        if !file.contentType.isEmpty { headers.append(("content-type", file.contentType)) }
        if !file.originalName.isEmpty {
            headers.append(("x-amz-meta-original-filename", S3Escape.metadata(file.originalName)))
        }
        if source.size > MultipartUpload.threshold {
            return try MultipartUpload(client: client, key: file.key, headers: headers, source: source).run()
        }
        _ = try client.send(
            S3Request(
                method: "PUT", key: file.key, headers: headers,
                body: source.size == 0 ? .none : .source(source, offset: 0, length: source.size)))
    }

    // MARK: - Reading

    func information(_ key: String) throws -> StorageFile {
        let answer = try client.send(S3Request(method: "HEAD", key: key))
        guard let size = answer.head.headers["content-length"].flatMap({ UInt64($0) }) else {
            throw StorageError(.failed, "The S3 service does not say how large a file is.")
        }
        return Self.file(key, size, answer.head)
    }

    static func file(_ key: String, _ size: UInt64, _ head: HTTPHead) -> StorageFile {
        StorageFile(
            key: key, size: size, modified: S3Dates.header(head.headers["last-modified"] ?? ""),
            contentType: head.headers["content-type"] ?? "application/octet-stream",
            originalName: S3Escape.unescape(head.headers["x-amz-meta-original-filename"] ?? ""),
            version: head.headers["etag"] ?? "")
    }

    func get(
        _ key: String, version: String, offset: UInt64, length: UInt64?, begin: (StorageFile) throws -> Void,
        write: (UnsafeRawBufferPointer) throws -> Void
    ) throws {
        if length == 0 {
            // No range of HTTP is empty.
            let file = try information(key)
            guard version.isEmpty || file.version == version else {
                throw StorageError(.changed, "The file has changed.")
            }
            guard offset <= file.size else { throw StorageError(.invalid, "The range lies behind the file's end.") }
            return try begin(file)
        }
        try withoutActuallyEscaping(begin) { begin in
            try withoutActuallyEscaping(write) { write in
                try S3Reading(key: key, version: version, offset: offset, length: length, begin: begin, write: write)
                    .run(client)
            }
        }
    }

    // MARK: - Removing

    func remove(_ key: String) throws {
        do {
            _ = try client.send(S3Request(method: "DELETE", key: key))
        } catch let error where error.kind == .missing {
            // Some services say so.
        }
    }

    func removeAll(_ prefix: String) throws {
        // One key a request: not every service knows how to delete several.
        while true {
            var keys: [String] = []
            try list(prefix, most: 1000) { keys.append($0.key) }
            let found = keys
            try Parallel.run(found.count, threads: 8) { try self.remove(found[$0]) }
            // A service that shows what is gone already must not keep this going for ever.
            if found.count < 1000 { break }
        }
        try MultipartUpload.abortAll(prefix, client)
    }

    // MARK: - Listing

    func list(_ prefix: String, each: (StorageFile) throws -> Void) throws { try list(prefix, most: .max, each) }

    private func list(_ prefix: String, most: Int, _ each: (StorageFile) throws -> Void) throws {
        var token = ""
        var count = 0
        while count < most {
            var query = [("list-type", "2"), ("max-keys", "1000"), ("prefix", S3Escape.key(prefix))]
            if !token.isEmpty { query.append(("continuation-token", token)) }
            let page = try client.send(S3Request(method: "GET", query: query)).document("ListBucketResult")
            for item in page.all("Contents") {
                guard let size = UInt64(item.value("Size")), !item.value("Key").isEmpty else {
                    throw StorageError(.failed, "The S3 service lists a file without its key or size.")
                }
                count += 1
                try each(
                    StorageFile(
                        key: S3Escape.storedKey(item.value("Key")), size: size,
                        modified: S3Dates.document(item.value("LastModified")), version: item.value("ETag")))
            }
            let next = page.value("NextContinuationToken")
            guard page.value("IsTruncated") == "true", !next.isEmpty, next != token else { return }
            token = next
        }
    }
}
