import PluginKit
import Transfers

/// Reads a file, and goes on where it was when the connection breaks.
final class S3Reading {
    private let key: String
    private let begin: (StorageFile) throws -> Void
    private let write: (UnsafeRawBufferPointer) throws -> Void
    private var version: String
    private let start: UInt64
    /// Where the reading ends; nil as long as that is not known.
    private var end: UInt64?
    /// The next byte that is wanted.
    private var position: UInt64
    private var hasBegun = false
    /// Bytes of an answer that come before the one that is wanted.
    private var skipped: UInt64 = 0

    init(
        key: String, version: String, offset: UInt64, length: UInt64?,
        begin: @escaping (StorageFile) throws -> Void, write: @escaping (UnsafeRawBufferPointer) throws -> Void
    ) {
        self.key = key
        self.version = version
        self.begin = begin
        self.write = write
        start = offset
        position = offset
        end = length.map { $0 > UInt64.max - offset ? UInt64.max : offset + $0 }
    }

    func run(_ client: S3Client) throws {
        var retries = Retries()
        while true {
            let before = position
            do throws(S3Client.Attempt.Failure) {
                try client.attempt(request, begin: { try self.take($0) }, pass: { try self.take($0) })
                if let end, hasBegun, position >= end { return }
                throw S3Client.Attempt.Failure(
                    error: StorageError(.failed, "The S3 service ends a file too early."), isTransient: true)
            } catch {
                if let own = error.own {
                    if own is Complete { return }
                    throw own
                }
                if let end, hasBegun, position >= end { return }
                if position > before { retries.progress() }
                try retries.wait(after: error)
            }
        }
    }

    /// Everything that was wanted is there, though the service sends more.
    private struct Complete: Error {}

    private var request: S3Request {
        var request = S3Request(method: "GET", key: key)
        if position > 0 || end != nil {
            // A whole file is asked for without a range, which an empty one does not have.
            let isWhole = position == 0 && end == nil
            if !isWhole { request.headers.append(("range", "bytes=\(position)-\(end.map { "\($0 - 1)" } ?? "")")) }
        }
        if !version.isEmpty { request.headers.append(("if-match", version)) }
        return request
    }

    private func take(_ head: HTTPHead) throws {
        var size = head.headers["content-length"].flatMap { UInt64($0) }
        if head.status == 206 {
            guard let range = head.headers["content-range"].flatMap(Self.range), range.start == position else {
                throw StorageError(.failed, "The S3 service answers with another range than it was asked for.")
            }
            size = range.size
            skipped = 0
        } else {
            // Who ignores ranges sends all of it.
            skipped = position
        }
        guard let size else { throw StorageError(.failed, "The S3 service does not say how large a file is.") }
        guard start <= size else { throw StorageError(.invalid, "The range lies behind the file's end.") }
        let last = min(end ?? size, size)
        if hasBegun, end != last { throw StorageError(.changed, "The file has changed.") }
        end = last
        guard !hasBegun else { return }
        hasBegun = true
        let file = S3Bucket.file(key, size, head)
        version = file.version
        try begin(file)
    }

    /// `bytes 10-14/27`
    private static func range(_ header: String) -> (start: UInt64, size: UInt64)? {
        let parts = header.split { " -/".contains($0) }
        guard parts.count == 4, parts[0] == "bytes", let start = UInt64(parts[1]), let size = UInt64(parts[3]) else {
            return nil
        }
        return (start, size)
    }

    private func take(_ bytes: UnsafeRawBufferPointer) throws {
        var bytes = bytes
        if skipped > 0 {
            let count = Int(min(skipped, UInt64(bytes.count)))
            skipped -= UInt64(count)
            bytes = UnsafeRawBufferPointer(rebasing: bytes[count...])
        }
        let left = (end ?? 0) - min(position, end ?? 0)
        if bytes.isEmpty { return }
        guard left > 0 else { throw Complete() }
        let count = Int(min(left, UInt64(bytes.count)))
        position += UInt64(count)
        try write(UnsafeRawBufferPointer(rebasing: bytes[..<count]))
    }
}
