import PluginKit
import Transfers
import Synchronization

/// Stores a large file in parts, some at the same time; each is read from the file as it is sent.
struct MultipartUpload: Sendable {
    /// Larger files are stored in parts.
    static let threshold: UInt64 = 32 << 20
    private static let threads = 4
    /// S3 allows 10,000.
    private static let mostParts: UInt64 = 9_000

    let client: S3Client
    let key: String
    let headers: [(String, String)]
    let source: StorageSource

    /// At least 16 MiB, and as much as keeps the parts few enough.
    private var partSize: UInt64 {
        let unit: UInt64 = 1 << 20
        return max(16 * unit, (source.size / Self.mostParts / unit + 1) * unit)
    }

    func run() throws {
        let started = try client.send(
            S3Request(method: "POST", key: key, query: [("uploads", "")], headers: headers, body: .bytes([]))
        )
        .document("InitiateMultipartUploadResult")
        let id = started.value("UploadId")
        guard !id.isEmpty else { throw StorageError(.failed, "The S3 service begins an upload without a name.") }
        do {
            try complete(id, try send(id))
        } catch {
            // What cannot be given up now is found when the place is cleared away.
            try? Self.abort(key, id, client)
            throw error
        }
    }

    /// - Returns: the tags of the parts in their order.
    private func send(_ id: String) throws -> [String] {
        let size = partSize
        let count = Int((source.size + size - 1) / size)
        let tags = Mutex([String](repeating: "", count: count))
        try Parallel.run(count, threads: Self.threads) { number in
            let offset = UInt64(number) * size
            let answer = try client.send(
                S3Request(
                    method: "PUT", key: key, query: [("partNumber", "\(number + 1)"), ("uploadId", id)],
                    body: .source(source, offset: offset, length: min(size, source.size - offset))))
            guard let tag = answer.head.headers["etag"], !tag.isEmpty else {
                throw StorageError(.failed, "The S3 service takes a part without naming it.")
            }
            tags.withLock { $0[number] = tag }
        }
        return tags.withLock { $0 }
    }

    private func complete(_ id: String, _ tags: [String]) throws {
        let parts = tags.enumerated().map {
            "<Part><ETag>\(XMLElement.escaped($0.element))</ETag><PartNumber>\($0.offset + 1)</PartNumber></Part>"
        }
        let document =
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?><CompleteMultipartUpload>\(parts.joined())</CompleteMultipartUpload>"
        let request = S3Request(
            method: "POST", key: key, query: [("uploadId", id)], headers: [("content-type", "application/xml")],
            body: .bytes(Array(document.utf8)))
        var retries = Retries()
        while true {
            do throws(S3Client.Attempt.Failure) {
                let answer = try S3Client.Attempt(client: client, request: request).run()
                // The service answers before it is through, and may have to say under 200 that it failed.
                if XMLElement(parsing: answer.body)?.name == "CompleteMultipartUploadResult" { return }
                throw S3Refusal(S3Answer(head: HTTPHead(status: 500), body: answer.body)).failure
            } catch {
                // An earlier try may have gone well, and only its answer was lost.
                if error.error.kind == .missing, isStored { return }
                try retries.wait(after: error)
            }
        }
    }

    private var isStored: Bool {
        let answer = try? client.send(S3Request(method: "HEAD", key: key))
        return answer?.head.headers["content-length"].flatMap { UInt64($0) } == source.size
    }

    private static func abort(_ key: String, _ id: String, _ client: S3Client) throws(StorageError) {
        do throws(StorageError) {
            _ = try client.send(S3Request(method: "DELETE", key: key, query: [("uploadId", id)]))
        } catch {
            if error.kind != .missing { throw error }
        }
    }

    /// Gives up every upload in parts whose key begins with a prefix.
    static func abortAll(_ prefix: String, _ client: S3Client) throws(StorageError) {
        let query = [("prefix", S3Escape.key(prefix)), ("uploads", "")]
        let answer: S3Answer
        do throws(StorageError) {
            answer = try client.send(S3Request(method: "GET", query: query))
        } catch {
            // Not every service can tell; those clear such uploads away by themselves.
            if error.kind == .denied || error.reason.contains("501") || error.reason.contains("405") { return }
            throw error
        }
        for upload in try answer.document("ListMultipartUploadsResult").all("Upload") {
            // Some services do not look at the prefix.
            guard upload.value("Key").hasPrefix(S3Escape.key(prefix)) else { continue }
            try abort(S3Escape.storedKey(upload.value("Key")), upload.value("UploadId"), client)
        }
    }
}
