import Marks
import Glibc
import NIOCore

/// A parsed request line with its header fields. Ranges are relative to the readable bytes of `bytes`.
struct RequestHead: Sendable {
    enum Expectation {
        case none, `continue`, unknown
    }

    var bytes: ByteBuffer
    var method: HTTPMethod
    var target: Range<Int>
    var path: Range<Int>
    var query: Range<Int>
    var isHTTP10 = false
    var keepsAlive = true
    var contentLength: Int?
    var isChunked = false
    var expectation = Expectation.none
    var isClean = true
    /// `OPTIONS *`: asks about the server as a whole.
    var isAsterisk = false
    var fields: [HeaderField] = []

    var hasBody: Bool { isChunked || (contentLength ?? 0) > 0 }
}

/// Finds and parses request heads (RFC 9112). Pure: bytes in, head or failure out.
///
/// What is not unmistakable is refused, as a proxy in front may read it another way (request smuggling): more than
/// one Content-Length, Content-Length with Transfer-Encoding, spaces before the colon, folded lines, control characters.
/// A bare LF ends a line, as in Go's server.
enum RequestHeadParser {
    /// The number of bytes up to and with the empty line, or nil when it has not come yet.
    ///
    /// - Parameter scanned: how far the bytes were searched before; updated, so that a slow head is not searched anew.
    static func headLength(_ bytes: UnsafeRawBufferPointer, scanned: inout Int) -> Int? {
        guard let base = bytes.baseAddress else { return nil }
        var position = scanned
        while position < bytes.count, let found = memchr(base + position, 10, bytes.count - position) {
            let index = UnsafeRawPointer(found) - base
            guard index + 1 < bytes.count else {
                scanned = index
                return nil
            }
            if bytes[index + 1] == 10 { return index + 2 }
            if bytes[index + 1] == 13 {
                guard index + 2 < bytes.count else {
                    scanned = index
                    return nil
                }
                if bytes[index + 2] == 10 { return index + 3 }
            }
            position = index + 1
        }
        scanned = bytes.count
        return nil
    }

    static func parse(_ head: ByteBuffer, maxFields: Int) throws(HTTPFailure) -> RequestHead {
        let result = head.withUnsafeReadableBytes { raw -> Result<RequestHead, HTTPFailure> in
            do throws(HTTPFailure) {
                return .success(try parse(raw, head, maxFields))
            } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }

    private static func parse(
        _ raw: UnsafeRawBufferPointer, _ buffer: ByteBuffer, _ maxFields: Int
    ) throws(HTTPFailure) -> RequestHead {
        guard CombiningMarks.areFew(in: raw) else { throw .malformedRequest }
        var position = 0
        let line = nextLine(raw, &position)
        var head = try requestLine(raw, line, buffer)
        head.fields.reserveCapacity(12)
        var hosts = 0
        var encodings = 0
        while position < raw.count {
            let line = nextLine(raw, &position)
            if line.isEmpty { break }
            guard head.fields.count < maxFields else { throw .headersTooLarge }
            let field = try field(raw, line)
            head.fields.append(field)
            try note(raw, field, &head, &hosts, &encodings)
        }
        if hosts == 0, !head.isHTTP10 { throw .missingHost }
        if hosts > 1 { throw .malformedRequest }
        if head.isChunked, head.contentLength != nil || encodings > 1 || head.isHTTP10 { throw .malformedRequest }
        return head
    }

    private static func nextLine(_ raw: UnsafeRawBufferPointer, _ position: inout Int) -> Range<Int> {
        let start = position
        var end = raw.count
        if let base = raw.baseAddress, let found = memchr(base + start, 10, raw.count - start) {
            end = UnsafeRawPointer(found) - base
        }
        position = end + 1
        if end > start, raw[end - 1] == 13 { end -= 1 }
        return start..<end
    }

    private static func requestLine(
        _ raw: UnsafeRawBufferPointer, _ line: Range<Int>, _ buffer: ByteBuffer
    ) throws(HTTPFailure) -> RequestHead {
        var methodEnd = line.lowerBound
        while methodEnd < line.upperBound, ASCII.isToken[Int(raw[methodEnd])] { methodEnd += 1 }
        guard methodEnd > line.lowerBound, methodEnd < line.upperBound, raw[methodEnd] == 0x20 else {
            throw .malformedRequest
        }
        // " HTTP/1.1" takes the last nine bytes.
        let versionStart = line.upperBound - 8
        guard versionStart - 1 > methodEnd, raw[versionStart - 1] == 0x20,
            equals(raw, versionStart..<versionStart + 5, "HTTP/"), raw[versionStart + 6] == UInt8(ascii: "."),
            isDigit(raw[versionStart + 5]), isDigit(raw[versionStart + 7])
        else { throw .malformedRequest }
        guard raw[versionStart + 5] == UInt8(ascii: "1") else { throw .unsupportedVersion }
        let isHTTP10 = raw[versionStart + 7] == UInt8(ascii: "0")

        let target = (methodEnd + 1)..<(versionStart - 1)
        let method = method(UnsafeRawBufferPointer(rebasing: raw[line.lowerBound..<methodEnd]))
        var head = RequestHead(buffer: buffer, method: method, target: target)
        head.isHTTP10 = isHTTP10
        head.keepsAlive = !isHTTP10
        try splitTarget(raw, &head)
        return head
    }

    private static func splitTarget(_ raw: UnsafeRawBufferPointer, _ head: inout RequestHead) throws(HTTPFailure) {
        var start = head.target.lowerBound
        let end = head.target.upperBound
        guard start < end else { throw .malformedRequest }
        if raw[start] != UInt8(ascii: "/") {
            if end - start == 1, raw[start] == UInt8(ascii: "*") {
                guard head.method == .options else { throw .malformedRequest }
                head.isAsterisk = true
                head.path = start..<end
                head.query = end..<end
                return
            }
            // The absolute form that clients send to proxies; the authority is left to the Host header.
            let scheme =
                equals(raw, start..<min(end, start + 7), "http://")
                ? 7 : (equals(raw, start..<min(end, start + 8), "https://") ? 8 : 0)
            guard scheme > 0 else { throw .malformedRequest }
            start += scheme
            while start < end, raw[start] != UInt8(ascii: "/"), raw[start] != UInt8(ascii: "?") { start += 1 }
            guard start < end, raw[start] == UInt8(ascii: "/") else { throw .malformedRequest }
        }
        var pathEnd = end
        var index = start
        while index < end {
            let byte = raw[index]
            if byte <= 0x20 || byte == 0x7f { throw .malformedRequest }
            if pathEnd == end {
                if byte == UInt8(ascii: "?") {
                    pathEnd = index
                } else if byte == UInt8(ascii: "%") {
                    guard index + 2 < end, ASCII.hex(raw[index + 1]) != nil, ASCII.hex(raw[index + 2]) != nil else {
                        throw .malformedRequest
                    }
                }
            }
            index += 1
        }
        head.path = start..<pathEnd
        head.query = min(pathEnd + 1, end)..<end
        head.isClean = PathCleaning.isClean(UnsafeRawBufferPointer(rebasing: raw[head.path]))
    }

    private static func field(
        _ raw: UnsafeRawBufferPointer, _ line: Range<Int>
    ) throws(HTTPFailure) -> HeaderField {
        var nameEnd = line.lowerBound
        while nameEnd < line.upperBound, ASCII.isToken[Int(raw[nameEnd])] { nameEnd += 1 }
        guard nameEnd < line.upperBound else { throw .malformedRequest }
        guard raw[nameEnd] == UInt8(ascii: ":"), nameEnd > line.lowerBound else { throw .invalidHeaderName }
        var start = nameEnd + 1
        var end = line.upperBound
        while start < end, raw[start] == 0x20 || raw[start] == 0x09 { start += 1 }
        while end > start, raw[end - 1] == 0x20 || raw[end - 1] == 0x09 { end -= 1 }
        for index in start..<end {
            let byte = raw[index]
            if byte < 0x20 && byte != 0x09 || byte == 0x7f { throw .malformedRequest }
        }
        return HeaderField(
            nameStart: UInt32(line.lowerBound), nameLength: UInt32(nameEnd - line.lowerBound),
            valueStart: UInt32(start), valueLength: UInt32(end - start)
        )
    }

    /// Takes from a field what the connection itself has to know.
    private static func note(
        _ raw: UnsafeRawBufferPointer, _ field: HeaderField, _ head: inout RequestHead, _ hosts: inout Int,
        _ encodings: inout Int
    ) throws(HTTPFailure) {
        let name = Int(field.nameStart)..<Int(field.nameStart + field.nameLength)
        let value = Int(field.valueStart)..<Int(field.valueStart + field.valueLength)
        switch name.count {
        case 4 where equals(raw, name, "host"):
            hosts += 1
            for index in value where raw[index] <= 0x20 || raw[index] >= 0x7f { throw .malformedRequest }
        case 6 where equals(raw, name, "expect"):
            head.expectation = equals(raw, value, "100-continue") ? .continue : .unknown
        case 10 where equals(raw, name, "connection"):
            if hasToken(raw, value, "close") {
                head.keepsAlive = false
            } else if head.isHTTP10, hasToken(raw, value, "keep-alive") {
                head.keepsAlive = true
            }
        case 14 where equals(raw, name, "content-length"):
            guard head.contentLength == nil, !value.isEmpty, value.count <= 18 else { throw .malformedRequest }
            var length = 0
            for index in value {
                guard isDigit(raw[index]) else { throw .malformedRequest }
                length = length * 10 + Int(raw[index] - UInt8(ascii: "0"))
            }
            head.contentLength = length
        case 17 where equals(raw, name, "transfer-encoding"):
            encodings += 1
            guard equals(raw, value, "chunked") else { throw .unsupportedTransferEncoding }
            head.isChunked = true
        default:
            break
        }
    }

    private static func method(_ raw: UnsafeRawBufferPointer) -> HTTPMethod {
        switch raw.count {
        case 3 where raw.elementsEqual("GET".utf8): return .get
        case 3 where raw.elementsEqual("PUT".utf8): return .put
        case 4 where raw.elementsEqual("POST".utf8): return .post
        case 4 where raw.elementsEqual("HEAD".utf8): return .head
        case 5 where raw.elementsEqual("PATCH".utf8): return .patch
        case 6 where raw.elementsEqual("DELETE".utf8): return .delete
        case 7 where raw.elementsEqual("OPTIONS".utf8): return .options
        default: return HTTPMethod(rawValue: String(decoding: raw, as: UTF8.self))
        }
    }

    private static func isDigit(_ byte: UInt8) -> Bool {
        byte &- UInt8(ascii: "0") < 10
    }

    /// Compares without case to a text in lower case (or one of characters that have no case).
    private static func equals(_ raw: UnsafeRawBufferPointer, _ range: Range<Int>, _ text: StaticString) -> Bool {
        guard range.count == text.utf8CodeUnitCount else { return false }
        let wanted = text.utf8Start
        for offset in 0..<range.count
        where ASCII.lower(raw[range.lowerBound + offset]) != ASCII.lower(wanted[offset]) {
            return false
        }
        return true
    }

    private static func hasToken(_ raw: UnsafeRawBufferPointer, _ range: Range<Int>, _ text: StaticString) -> Bool {
        var start = range.lowerBound
        while start < range.upperBound {
            var end = start
            while end < range.upperBound, raw[end] != UInt8(ascii: ",") { end += 1 }
            var first = start
            var last = end
            while first < last, raw[first] == 0x20 || raw[first] == 0x09 { first += 1 }
            while last > first, raw[last - 1] == 0x20 || raw[last - 1] == 0x09 { last -= 1 }
            if equals(raw, first..<last, text) { return true }
            start = end + 1
        }
        return false
    }
}

extension RequestHead {
    fileprivate init(buffer: ByteBuffer, method: HTTPMethod, target: Range<Int>) {
        self.bytes = buffer
        self.method = method
        self.target = target
        self.path = target
        self.query = target.upperBound..<target.upperBound
    }
}
