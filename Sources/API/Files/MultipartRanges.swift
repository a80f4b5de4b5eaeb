import Engine
import WebServer

/// Several parts of a file in one answer (`multipart/byteranges`).
enum MultipartRanges {
    /// The most bytes that are put together in memory; who asks for more gets the whole file.
    private static let limit = 8 << 20

    static func fit(_ ranges: [Range<Int>]) -> Bool { ranges.reduce(0) { $0 + $1.count } <= limit }

    /// Answers with ranges that ``fit``.
    static func answer(
        _ exchange: Exchange, _ source: FileContent, size: Int, ranges: [Range<Int>], headers: [(String, String)]
    ) {
        source.read(exchange, ranges) { pieces in
            let type = headers.first { $0.0 == "Content-Type" }?.1 ?? "application/octet-stream"
            let boundary = RandomText.make(60, from: RandomText.lowercase)
            var body: [UInt8] = []
            for (range, piece) in zip(ranges, pieces) {
                let head =
                    "\(body.isEmpty ? "" : "\r\n")--\(boundary)\r\nContent-Range: bytes "
                    + "\(range.lowerBound)-\(range.upperBound - 1)/\(size)\r\nContent-Type: \(type)\r\n\r\n"
                body += head.utf8
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
