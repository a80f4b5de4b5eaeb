import Engine
import Glibc
import WebServer

/// Where the bytes of an answer come from.
enum FileContent {
    case local(path: String)
    case elsewhere(RemoteDownload)

    /// Answers with a part of the file.
    func send(_ exchange: Exchange, status: UInt16, headers: [(String, String)], _ range: Range<Int>) {
        switch self {
        case .local(let path):
            exchange.responder.send(
                Response(
                    status: status, headers: headers,
                    body: .file(path: path, offset: range.lowerBound, length: range.count)))
        case .elsewhere(let download): download.open(status: status, headers: headers, range)
        }
    }

    /// Reads parts of the file into memory, on a thread that may wait; answers itself when that fails.
    func read(_ exchange: Exchange, _ ranges: [Range<Int>], then: @escaping @Sendable ([[UInt8]]) -> Void) {
        switch self {
        case .local(let path):
            exchange.work {
                guard let pieces = Self.read(path, ranges) else { return exchange.fail(ServiceError.notFound()) }
                then(pieces)
            }
        case .elsewhere(let download): download.read(ranges, then: then)
        }
    }

    private static func read(_ path: String, _ ranges: [Range<Int>]) -> [[UInt8]]? {
        let descriptor = Glibc.open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var pieces: [[UInt8]] = []
        for range in ranges {
            let piece = [UInt8](unsafeUninitializedCapacity: range.count) { buffer, count in
                while count < range.count {
                    let read = pread(
                        descriptor, buffer.baseAddress.map { $0 + count }, range.count - count, range.lowerBound + count
                    )
                    if read <= 0 { break }
                    count += read
                }
            }
            guard piece.count == range.count else { return nil }
            pieces.append(piece)
        }
        return pieces
    }
}
