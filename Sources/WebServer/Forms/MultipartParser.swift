import Marks
package import NIOCore

/// Why a multipart body was refused.
package enum MultipartError: Error, Hashable, Sendable {
    /// The content type names no boundary, or one that RFC 2046 does not allow.
    case invalidBoundary
    /// The body ended before the closing boundary.
    case truncated
    case malformed
    case headersTooLarge
    case tooManyParts
}

/// The header fields of one part that forms use (RFC 7578).
package struct MultipartPartHead: Hashable, Sendable {
    /// The form field; empty when the part does not name one.
    package var name = ""
    /// Set when the part is a file. May be empty, and is what the client says: never use it as a path.
    package var filename: String?
    package var contentType: String?
    package var headers: [Header] = []

    package struct Header: Hashable, Sendable {
        package var name: String
        package var value: String
    }
}

/// Takes a `multipart/form-data` body apart as it arrives. Pure: bytes in, events out, and no more than a boundary's
/// length (or one part's header) is kept back.
///
/// ```swift
/// var parser = try MultipartParser(boundary: boundary)
/// parser.push(piece)
/// while let event = try parser.next() { ... }
/// ```
package struct MultipartParser {
    package enum Event: Hashable, Sendable {
        case partBegin(MultipartPartHead)
        case partData(ByteBuffer)
        case partEnd
        case end
    }

    package struct Limits: Sendable {
        package var maxParts = 1000
        package var maxHeaderBytes = 16 * 1024

        package init() {}
    }

    private enum State {
        case start
        /// Text before the first boundary, to be overlooked.
        case preamble
        /// Behind a boundary: CRLF begins a part, `--` ends the form.
        case afterBoundary
        case header
        case data
        case finished
    }

    private let limits: Limits
    /// `\r\n--boundary`
    private let delimiter: [UInt8]
    private var state = State.start
    private var buffer = ByteBuffer()
    private var parts = 0
    /// Bytes before a part's data that are there only so that a boundary right behind its header is found.
    private var emptyPrefix = 0

    /// - Throws: `MultipartError.invalidBoundary` unless the boundary has 1 to 70 printable characters.
    package init(boundary: String, limits: Limits = Limits()) throws(MultipartError) {
        guard (1...70).contains(boundary.utf8.count), boundary.utf8.allSatisfy({ $0 >= 0x20 && $0 < 0x7f }) else {
            throw .invalidBoundary
        }
        self.limits = limits
        self.delimiter = Array("\r\n--\(boundary)".utf8)
    }

    /// Adds received bytes.
    package mutating func push(_ bytes: ByteBuffer) {
        if buffer.readableBytes == 0 {
            buffer = bytes
        } else {
            buffer.discardReadBytes()
            buffer.writeImmutableBuffer(bytes)
        }
    }

    /// The next event, or nil when more bytes are needed.
    package mutating func next() throws(MultipartError) -> Event? {
        while true {
            switch state {
            case .start:
                // The first boundary mostly stands at the very beginning, without a line break before it.
                let opening = delimiter.dropFirst(2)
                guard buffer.readableBytes >= opening.count else { return nil }
                if buffer.readableBytesView.starts(with: opening) {
                    buffer.moveReaderIndex(forwardBy: opening.count)
                    state = .afterBoundary
                } else {
                    state = .preamble
                }
            case .preamble:
                guard let found = find() else {
                    keepTail()
                    return nil
                }
                buffer.moveReaderIndex(forwardBy: found + delimiter.count)
                state = .afterBoundary
            case .afterBoundary:
                guard try passBoundaryLine() else { return nil }
                if case .finished = state { return .end }
            case .header:
                guard let head = try takeHead() else { return nil }
                state = .data
                return .partBegin(head)
            case .data:
                return takeData()
            case .finished:
                buffer.clear()
                return nil
            }
        }
    }

    /// Says that no more bytes come.
    /// - Throws: `MultipartError.truncated` when the closing boundary was not seen.
    package func finish() throws(MultipartError) {
        guard case .finished = state else { throw .truncated }
    }

    private mutating func passBoundaryLine() throws(MultipartError) -> Bool {
        // Spaces may stand between boundary and line end (RFC 2046 section 5.1.1).
        while let byte = peek(0), byte == 0x20 || byte == 0x09 { buffer.moveReaderIndex(forwardBy: 1) }
        guard let first = peek(0), let second = peek(1) else { return false }
        buffer.moveReaderIndex(forwardBy: 2)
        if first == UInt8(ascii: "-"), second == UInt8(ascii: "-") {
            state = .finished
        } else if first == 13, second == 10 {
            parts += 1
            guard parts <= limits.maxParts else { throw .tooManyParts }
            state = .header
        } else {
            throw .malformed
        }
        return true
    }

    private func peek(_ offset: Int) -> UInt8? {
        buffer.getInteger(at: buffer.readerIndex + offset, as: UInt8.self)
    }

    private mutating func takeHead() throws(MultipartError) -> MultipartPartHead? {
        var head = MultipartPartHead()
        if peek(0) == 13, peek(1) == 10 {
            buffer.moveReaderIndex(forwardBy: 2)
            return head
        }
        let length = buffer.withUnsafeReadableBytes { ByteSearch.find(Array("\r\n\r\n".utf8), in: $0) }
        guard let length else {
            guard buffer.readableBytes <= limits.maxHeaderBytes else { throw .headersTooLarge }
            return nil
        }
        guard length <= limits.maxHeaderBytes else { throw .headersTooLarge }
        let text = buffer.readString(length: length) ?? ""
        guard CombiningMarks.areFew(in: text) else { throw .malformed }
        buffer.moveReaderIndex(forwardBy: 4)
        for line in text.split(separator: "\r\n") {
            guard let colon = line.firstIndex(of: ":"), colon > line.startIndex else { throw .malformed }
            let name = String(line[..<colon])
            let value = String(line[line.index(after: colon)...].drop { $0 == " " || $0 == "\t" })
            if ASCII.equal(name, "content-disposition") {
                let disposition = HeaderParameters(value)
                head.name = disposition["name"] ?? ""
                head.filename = disposition["filename"]
            } else if ASCII.equal(name, "content-type") {
                head.contentType = value
            }
            head.headers.append(MultipartPartHead.Header(name: name, value: value))
        }
        // An empty part's boundary follows the header at once; its line break was the header's last.
        buffer.moveReaderIndex(to: buffer.readerIndex - 2)
        emptyPrefix = 2
        return head
    }

    private mutating func takeData() -> Event? {
        if let found = find() {
            if found > emptyPrefix {
                return slice(upTo: found)
            }
            buffer.moveReaderIndex(forwardBy: found + delimiter.count)
            emptyPrefix = 0
            state = .afterBoundary
            return .partEnd
        }
        // The last bytes may be the beginning of a boundary.
        let safe = buffer.readableBytes - (delimiter.count - 1)
        return safe > emptyPrefix ? slice(upTo: safe) : nil
    }

    private mutating func slice(upTo end: Int) -> Event? {
        buffer.moveReaderIndex(forwardBy: emptyPrefix)
        let count = end - emptyPrefix
        emptyPrefix = 0
        return buffer.readSlice(length: count).map { .partData($0) }
    }

    private func find() -> Int? {
        buffer.withUnsafeReadableBytes { ByteSearch.find(delimiter, in: $0) }
    }

    private mutating func keepTail() {
        let surplus = buffer.readableBytes - (delimiter.count - 1)
        if surplus > 0 { buffer.moveReaderIndex(forwardBy: surplus) }
    }
}
