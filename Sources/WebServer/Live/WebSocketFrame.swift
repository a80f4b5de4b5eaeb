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
        let header = header(opcode, payload.count)
        var buffer = ByteBuffer()
        buffer.reserveCapacity(header.count + payload.count)
        buffer.writeBytes(header)
        buffer.writeBytes(payload)
        return buffer
    }

    /// What goes before so many bytes.
    /// - Parameter isCompressed: whether the bytes are those of `MessageCompression`.
    static func header(_ opcode: WebSocketOpcode, _ count: Int, isCompressed: Bool = false) -> [UInt8] {
        let first = 0x80 | (isCompressed ? 0x40 : 0) | opcode.rawValue
        if count < 126 { return [first, UInt8(count)] }
        let size = count < 1 << 16 ? 2 : 8
        return [first, size == 2 ? 126 : 127]
            + (0..<size).map { UInt8(truncatingIfNeeded: count >> (8 * (size - 1 - $0))) }
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
    static let notDeflate = WebSocketViolation(code: 1007, reason: "invalid compressed data")
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
    private let allowsCompression: Bool
    /// A message whose end has not come.
    private var partial: Message?
    /// The frame of it whose payload is coming.
    private var coming: Coming?

    /// Frames that a message may be cut into: empty ones would otherwise never end.
    private static let maxFragments = 100_000

    private struct Message {
        var isText: Bool
        var isCompressed: Bool
        var data = ByteBuffer()
        var fragments = 0
        var check = UTF8Check()
    }

    private struct Coming {
        var isFinal: Bool
        var remaining: Int
        var mask: UInt32
    }

    /// - Parameters:
    ///   - maxMessage: bytes of the longest message.
    ///   - allowsCompression: whether `MessageCompression` was agreed on.
    init(maxMessage: Int, allowsCompression: Bool = false) {
        self.maxMessage = maxMessage
        self.allowsCompression = allowsCompression
    }

    /// The next event, or nil when more bytes are needed. A frame's length is judged before its payload is awaited, and
    /// text as its bytes come.
    mutating func next(_ input: inout ByteBuffer) throws(WebSocketViolation) -> Event? {
        while true {
            if coming != nil {
                guard try takeIn(&input) else { return nil }
                if let event = try finish() { return event }
                continue
            }
            guard let header = try header(input) else { return nil }
            if header.opcode.isControl {
                guard input.readableBytes >= header.size + header.length else { return nil }
                input.moveReaderIndex(forwardBy: header.size)
                guard var payload = input.readSlice(length: header.length) else { return nil }
                Self.unmask(&payload, header.mask)
                return try control(header.opcode, payload)
            }
            input.moveReaderIndex(forwardBy: header.size)
            var message =
                partial ?? Message(isText: header.opcode == .text, isCompressed: header.isCompressed)
            message.fragments += 1
            guard message.fragments <= Self.maxFragments else { throw .tooLarge }
            partial = message
            coming = Coming(isFinal: header.isFinal, remaining: header.length, mask: header.mask)
        }
    }

    /// Takes what there is of a frame's payload.
    /// - Returns: whether that was all.
    private mutating func takeIn(_ input: inout ByteBuffer) throws(WebSocketViolation) -> Bool {
        guard var frame = coming, var message = partial else { return true }
        guard var piece = input.readSlice(length: min(frame.remaining, input.readableBytes)) else { return false }
        // Not kept twice while it grows.
        partial = nil
        let count = piece.readableBytes
        Self.unmask(&piece, frame.mask)
        if message.isText, !message.isCompressed {
            guard piece.withUnsafeReadableBytes({ message.check.accept($0) }) else { throw .notText }
        }
        if message.data.readableBytes == 0 { message.data = piece } else { message.data.writeImmutableBuffer(piece) }
        partial = message
        frame.remaining -= count
        let turned = UInt32(count & 3) * 8
        if turned > 0 { frame.mask = frame.mask << turned | frame.mask >> (32 - turned) }
        coming = frame
        return frame.remaining == 0
    }

    /// The message, when its last frame has come.
    private mutating func finish() throws(WebSocketViolation) -> Event? {
        let isFinal = coming?.isFinal ?? false
        coming = nil
        guard isFinal, let message = partial else { return nil }
        partial = nil
        guard message.isCompressed else {
            if message.isText, !message.check.isComplete { throw .notText }
            return .message(isText: message.isText, message.data)
        }
        let data = try MessageCompression.decompress(message.data, limit: maxMessage)
        if message.isText, !Self.isUTF8(data) { throw .notText }
        return .message(isText: message.isText, data)
    }

    private struct Header {
        var isFinal: Bool
        var isCompressed: Bool
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
        guard let opcode = WebSocketOpcode(rawValue: first & 0x0F) else { throw .malformed("unknown opcode") }
        // The first frame of a message says whether it is compressed.
        let isCompressed = first & 0x40 != 0 && allowsCompression && (opcode == .text || opcode == .binary)
        guard first & 0x70 == (isCompressed ? 0x40 : 0) else { throw .malformed("reserved bits") }
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
        return Header(
            isFinal: isFinal, isCompressed: isCompressed, opcode: opcode, length: length, size: size + 4, mask: mask)
    }

    private func control(_ opcode: WebSocketOpcode, _ payload: ByteBuffer) throws(WebSocketViolation) -> Event {
        switch opcode {
        case .ping: .ping(payload)
        case .close: .close(try Self.closeCode(payload))
        default: .pong
        }
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
