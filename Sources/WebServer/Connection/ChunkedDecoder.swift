import NIOCore

/// Takes a chunked body apart (RFC 9112 section 7.1). Pure: bytes in, events out. Lines must end with CRLF, because a
/// lenient reading of chunk lines is how requests are smuggled past a proxy.
struct ChunkedDecoder {
    enum Event {
        case data(ByteBuffer)
        case end
    }

    private enum State {
        case size
        case data(Int)
        case dataEnd
        case trailers
        case finished
    }

    private static let maxLine = 4096
    private static let maxTrailers = 16 * 1024

    private var state = State.size
    private var trailerBytes = 0

    /// The next event, or nil when more bytes are needed. What has been understood is taken off `buffer`.
    mutating func next(_ buffer: inout ByteBuffer) throws(HTTPFailure) -> Event? {
        while true {
            switch state {
            case .size:
                guard let line = try Self.line(&buffer) else { return nil }
                let size = try Self.size(line)
                state = size == 0 ? .trailers : .data(size)
            case .data(let remaining):
                let count = min(remaining, buffer.readableBytes)
                guard count > 0, let slice = buffer.readSlice(length: count) else { return nil }
                state = count == remaining ? .dataEnd : .data(remaining - count)
                return .data(slice)
            case .dataEnd:
                guard buffer.readableBytes >= 2 else { return nil }
                guard buffer.readInteger(as: UInt16.self) == 0x0d0a else { throw .malformedRequest }
                state = .size
            case .trailers:
                guard let line = try Self.line(&buffer) else { return nil }
                trailerBytes += line.readableBytes + 2
                guard trailerBytes <= Self.maxTrailers else { throw .headersTooLarge }
                if line.readableBytes == 0 {
                    state = .finished
                    return .end
                }
            case .finished:
                return nil
            }
        }
    }

    private static func line(_ buffer: inout ByteBuffer) throws(HTTPFailure) -> ByteBuffer? {
        guard let length = buffer.readableBytesView.prefix(maxLine).firstIndex(of: 10).map({ $0 - buffer.readerIndex })
        else {
            guard buffer.readableBytes < maxLine else { throw .malformedRequest }
            return nil
        }
        guard length >= 1, let line = buffer.readSlice(length: length - 1),
            buffer.readInteger(as: UInt16.self) == 0x0d0a
        else { throw .malformedRequest }
        return line
    }

    private static func size(_ line: ByteBuffer) throws(HTTPFailure) -> Int {
        var value = 0
        var digits = 0
        for byte in line.readableBytesView {
            guard let digit = ASCII.hex(byte) else {
                // Extensions are allowed after the size and mean nothing to us.
                guard digits > 0, byte == UInt8(ascii: ";") || byte == 0x20 || byte == 0x09 else {
                    throw .malformedRequest
                }
                return value
            }
            digits += 1
            guard digits <= 15 else { throw .malformedRequest }
            value = value << 4 | Int(digit)
        }
        guard digits > 0 else { throw .malformedRequest }
        return value
    }
}
