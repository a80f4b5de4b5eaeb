import NIOCore

/// The opcodes of RFC 6455 section 11.8.
enum WebSocketOpcode: UInt8 {
    case continuation = 0
    case text = 1
    case binary = 2
    case close = 8
    case ping = 9
    case pong = 10

    var isControl: Bool { rawValue >= 8 }
}

/// Frames as a server sends them: whole and without a mask.
enum WebSocketFrame {
    static func make(_ opcode: WebSocketOpcode, _ payload: some Collection<UInt8>) -> ByteBuffer {
        let count = payload.count
        var buffer = ByteBuffer()
        buffer.reserveCapacity(count + 10)
        buffer.writeInteger(0x80 | opcode.rawValue)
        if count < 126 {
            buffer.writeInteger(UInt8(count))
        } else if count < 1 << 16 {
            buffer.writeInteger(UInt8(126))
            buffer.writeInteger(UInt16(count))
        } else {
            buffer.writeInteger(UInt8(127))
            buffer.writeInteger(UInt64(count))
        }
        buffer.writeBytes(payload)
        return buffer
    }

    /// A close frame; the reason is cut to what fits, between characters.
    static func close(_ code: UInt16, _ reason: String) -> ByteBuffer {
        var text = reason
        while text.utf8.count > 123 { text.removeLast() }
        return make(.close, [UInt8(code >> 8), UInt8(code & 0xFF)] + Array(text.utf8))
    }
}

/// What a client did against the protocol, with the code that it is told.
struct WebSocketViolation: Error, Equatable {
    let code: UInt16
    let reason: String

    static func malformed(_ reason: String) -> WebSocketViolation { WebSocketViolation(code: 1002, reason: reason) }
    static let notText = WebSocketViolation(code: 1007, reason: "invalid UTF-8")
    static let tooLarge = WebSocketViolation(code: 1009, reason: "message too large")
}

/// Takes messages out of the bytes that a client sent (RFC 6455 section 5). Pure: bytes in, events out.
struct WebSocketParser {
    enum Event: Equatable {
        case message(isText: Bool, ByteBuffer)
        case ping(ByteBuffer)
        case pong
        /// nil when the client gave no code.
        case close(UInt16?)
    }

    private let maxMessage: Int
    /// A message whose last frame has not come.
    private var partial: (isText: Bool, data: ByteBuffer)?
    private var fragments = 0

    /// Frames that a message may be cut into: empty ones would otherwise never end.
    private static let maxFragments = 100_000

    init(maxMessage: Int) { self.maxMessage = maxMessage }

    /// The next event, or nil when more bytes are needed. A frame's length is judged before its payload is awaited.
    mutating func next(_ input: inout ByteBuffer) throws(WebSocketViolation) -> Event? {
        while true {
            guard let header = try header(input) else { return nil }
            guard input.readableBytes >= header.size + header.length else { return nil }
            input.moveReaderIndex(forwardBy: header.size)
            guard var payload = input.readSlice(length: header.length) else { return nil }
            Self.unmask(&payload, header.mask)
            if let event = try accept(header, payload) { return event }
        }
    }

    private struct Header {
        var isFinal: Bool
        var opcode: WebSocketOpcode
        var length: Int
        var size: Int
        var mask: UInt32
    }

    private func header(_ input: ByteBuffer) throws(WebSocketViolation) -> Header? {
        let start = input.readerIndex
        guard let first = input.getInteger(at: start, as: UInt8.self),
            let second = input.getInteger(at: start + 1, as: UInt8.self)
        else { return nil }
        guard first & 0x70 == 0 else { throw .malformed("reserved bits") }
        guard let opcode = WebSocketOpcode(rawValue: first & 0x0F) else { throw .malformed("unknown opcode") }
        guard second & 0x80 != 0 else { throw .malformed("frame without a mask") }
        let isFinal = first & 0x80 != 0
        var length = Int(second & 0x7F)
        if opcode.isControl {
            guard isFinal else { throw .malformed("fragmented control frame") }
            guard length <= 125 else { throw .malformed("control frame too long") }
        }
        var size = 2
        if length == 126 {
            guard let long = input.getInteger(at: start + 2, as: UInt16.self) else { return nil }
            length = Int(long)
            size = 4
        } else if length == 127 {
            guard let long = input.getInteger(at: start + 2, as: UInt64.self) else { return nil }
            guard long < 1 << 63 else { throw .malformed("length") }
            guard long <= UInt64(maxMessage) else { throw .tooLarge }
            length = Int(long)
            size = 10
        }
        switch opcode {
        case .continuation:
            guard partial != nil else { throw .malformed("continuation of nothing") }
        case .text, .binary:
            guard partial == nil else { throw .malformed("a new message inside another") }
        default: break
        }
        if !opcode.isControl, (partial?.data.readableBytes ?? 0) + length > maxMessage { throw .tooLarge }
        guard let mask = input.getInteger(at: start + size, as: UInt32.self) else { return nil }
        return Header(isFinal: isFinal, opcode: opcode, length: length, size: size + 4, mask: mask)
    }

    /// - Returns: nil when the frame is a part of a message.
    private mutating func accept(_ header: Header, _ payload: ByteBuffer) throws(WebSocketViolation) -> Event? {
        switch header.opcode {
        case .ping: return .ping(payload)
        case .pong: return .pong
        case .close: return .close(try Self.closeCode(payload))
        case .text, .binary:
            let isText = header.opcode == .text
            if header.isFinal { return try message(isText, payload) }
            partial = (isText, payload)
            fragments = 1
            return nil
        case .continuation:
            guard var whole = partial else { throw .malformed("continuation of nothing") }
            partial = nil
            fragments += 1
            guard fragments <= Self.maxFragments else { throw .tooLarge }
            whole.data.writeImmutableBuffer(payload)
            if header.isFinal { return try message(whole.isText, whole.data) }
            partial = whole
            return nil
        }
    }

    private func message(_ isText: Bool, _ data: ByteBuffer) throws(WebSocketViolation) -> Event {
        if isText, !Self.isUTF8(data) { throw .notText }
        return .message(isText: isText, data)
    }

    private static func isUTF8(_ data: ByteBuffer) -> Bool {
        String(validating: data.readableBytesView, as: UTF8.self) != nil
    }

    /// Codes that may stand in a close frame: RFC 6455 section 7.4.
    private static func closeCode(_ payload: ByteBuffer) throws(WebSocketViolation) -> UInt16? {
        if payload.readableBytes == 0 { return nil }
        guard let code = payload.getInteger(at: payload.readerIndex, as: UInt16.self) else {
            throw .malformed("close code")
        }
        switch code {
        case 1000...1003, 1007...1014, 3000...4999: break
        default: throw .malformed("close code")
        }
        var reason = payload
        reason.moveReaderIndex(forwardBy: 2)
        guard isUTF8(reason) else { throw .notText }
        return code
    }

    private static func unmask(_ payload: inout ByteBuffer, _ mask: UInt32) {
        guard mask != 0, payload.readableBytes > 0 else { return }
        payload.withUnsafeMutableReadableBytes { bytes in
            let key = (UInt8(mask >> 24), UInt8(mask >> 16 & 0xFF), UInt8(mask >> 8 & 0xFF), UInt8(mask & 0xFF))
            let word = UInt64(mask.byteSwapped) | UInt64(mask.byteSwapped) << 32
            var index = 0
            while index + 8 <= bytes.count {
                let value = bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self)
                bytes.storeBytes(of: value ^ UInt64(littleEndian: word), toByteOffset: index, as: UInt64.self)
                index += 8
            }
            while index < bytes.count {
                switch index & 3 {
                case 0: bytes[index] ^= key.0
                case 1: bytes[index] ^= key.1
                case 2: bytes[index] ^= key.2
                default: bytes[index] ^= key.3
                }
                index += 1
            }
        }
    }
}
