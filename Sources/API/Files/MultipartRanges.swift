import Engine
import Glibc
import NIOCore
import WebServer

/// Several parts of a file in one answer (`multipart/byteranges`).
enum MultipartRanges {
    /// The most bytes that are put together in memory; who asks for more gets the whole file.
    private static let limit = 8 << 20

    static func answer(
        _ exchange: Exchange, path: String, size: Int, ranges: [Range<Int>], headers: [(String, String)]
    ) {
        let total = ranges.reduce(0) { $0 + $1.count }
        guard total <= limit else {
            exchange.responder.send(Response(headers: headers, body: .file(path: path, offset: 0, length: size)))
            return
        }
        exchange.work {
            let descriptor = open(path, O_RDONLY | O_CLOEXEC)
            guard descriptor >= 0 else { return exchange.fail(ServiceError.notFound()) }
            defer { close(descriptor) }
            let type = headers.first { $0.0 == "Content-Type" }?.1 ?? "application/octet-stream"
            let boundary = RandomText.make(60, from: RandomText.lowercase)
            var body: [UInt8] = []
            for range in ranges {
                let head =
                    "\(body.isEmpty ? "" : "\r\n")--\(boundary)\r\nContent-Range: bytes "
                    + "\(range.lowerBound)-\(range.upperBound - 1)/\(size)\r\nContent-Type: \(type)\r\n\r\n"
                body += head.utf8
                let piece = [UInt8](unsafeUninitializedCapacity: range.count) { buffer, count in
                    while count < range.count {
                        let read = pread(
                            descriptor, buffer.baseAddress.map { $0 + count }, range.count - count,
                            range.lowerBound + count)
                        if read <= 0 { break }
                        count += read
                    }
                }
                guard piece.count == range.count else { return exchange.fail(ServiceError.notFound()) }
                body += piece
            }
            body += "\r\n--\(boundary)--\r\n".utf8
            let own = headers.filter { $0.0 != "Content-Type" }
            exchange.responder.send(
                Response(
                    status: 206, headers: own + [("Content-Type", "multipart/byteranges; boundary=\(boundary)")],
                    body: .bytes(body)))
        }
    }
}
