import CZlib
import NIOCore
import Synchronization

/// permessage-deflate (RFC 7692) without contexts: each message is compressed for itself, so that one compressed message
/// serves all clients and no connection keeps a dictionary of tens of kilobytes.
enum MessageCompression {
    /// What the answer to a handshake says.
    static let answer = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"

    /// The window of what we compress, as a power of two: text as short as messages gains nothing by a larger one.
    private static let windowBits: Int32 = 13
    /// What each compressed message ends with, and is sent without.
    private static let tail: [UInt8] = [0, 0, 0xFF, 0xFF]

    /// Whether a client offers it in a way that we can take.
    /// - Parameter extensions: the values of `Sec-WebSocket-Extensions`.
    static func isOffered(_ extensions: [String]) -> Bool {
        extensions.contains { $0.split(separator: ",").contains(where: isOffer) }
    }

    /// RFC 7692, section 7.1: an offer with anything unknown, twice or out of range is declined.
    private static func isOffer(_ offer: Substring) -> Bool {
        let parts = offer.split(separator: ";", omittingEmptySubsequences: false).map(trimmed)
        guard let name = parts.first, ASCII.equal(name, "permessage-deflate") else { return false }
        var seen: Set<String> = []
        for part in parts.dropFirst() {
            let pair = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(trimmed)
            let name = pair[0].lowercased()
            guard seen.insert(name).inserted else { return false }
            switch (name, pair.count) {
            case ("server_no_context_takeover", 1), ("client_no_context_takeover", 1), ("client_max_window_bits", 1):
                break
            case ("client_max_window_bits", 2):
                guard let bits = bits(pair[1]), (8...15).contains(bits) else { return false }
            case ("server_max_window_bits", 2):
                // To accept means to name it in the answer, and what is shared with others must fit as well.
                return false
            default: return false
            }
        }
        return true
    }

    private static func trimmed(_ text: Substring) -> String {
        let isSpace: (Character) -> Bool = { $0 == " " || $0 == "\t" }
        return String(String(text.drop(while: isSpace)).reversed().drop(while: isSpace).reversed())
    }

    /// A number, which may be quoted.
    private static func bits(_ text: String) -> Int? {
        let isQuoted = text.count > 2 && text.first == "\"" && text.last == "\""
        let digits = isQuoted ? text.dropFirst().dropLast() : text[...]
        return digits.utf8.allSatisfy { (0x30...0x39).contains($0) } && digits.utf8.first != 0x30 ? Int(digits) : nil
    }

    // MARK: Compressing

    /// zlib's memory, kept for the next message. In a class, since zlib keeps its address.
    ///
    /// `@unchecked Sendable`: reached through a lock alone.
    private final class Stream: @unchecked Sendable {
        var stream = z_stream()
        var isOpen = false
    }

    private static let deflater = Mutex(Stream())
    private static let inflater = Mutex(Stream())

    /// The payload of a compressed message; nil when it would not be shorter. Any thread.
    static func compress(_ bytes: UnsafeRawBufferPointer) -> [UInt8]? {
        guard bytes.count > 16, bytes.count < 1 << 30 else { return nil }
        return deflater.withLock { state in
            let size = Int32(MemoryLayout<z_stream>.size)
            if !state.isOpen {
                let code = deflateInit2_(
                    &state.stream, Z_BEST_SPEED, Z_DEFLATED, -windowBits, 7, Z_DEFAULT_STRATEGY, ZLIB_VERSION, size)
                guard code == Z_OK else { return nil }
                state.isOpen = true
            }
            defer { deflateReset(&state.stream) }
            // Shorter than the message with the tail, or not worth it.
            let compressed = [UInt8](unsafeUninitializedCapacity: bytes.count) { output, count in
                state.stream.next_in = UnsafeMutablePointer(
                    mutating: bytes.bindMemory(to: UInt8.self).baseAddress)
                state.stream.avail_in = UInt32(bytes.count)
                state.stream.next_out = output.baseAddress
                state.stream.avail_out = UInt32(output.count)
                let code = deflate(&state.stream, Z_SYNC_FLUSH)
                let isWhole = code == Z_OK && state.stream.avail_in == 0 && state.stream.avail_out > 0
                count = isWhole ? output.count - Int(state.stream.avail_out) : 0
            }
            guard compressed.suffix(4) == tail[...] else { return nil }
            return Array(compressed.dropLast(4))
        }
    }

    /// A message out of its compressed payload. Any thread.
    /// - Parameter limit: bytes of the longest message.
    static func decompress(_ payload: ByteBuffer, limit: Int) throws(WebSocketViolation) -> ByteBuffer {
        var input = payload
        input.writeBytes(tail)
        var output = ByteBuffer()
        let failure = inflater.withLock { state -> WebSocketViolation? in
            if !state.isOpen {
                let code = inflateInit2_(&state.stream, -15, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
                guard code == Z_OK else { return .tooLarge }
                state.isOpen = true
            }
            defer { inflateReset(&state.stream) }
            return input.withUnsafeMutableReadableBytes { inflate(&state.stream, $0, into: &output, limit: limit) }
        }
        if let failure { throw failure }
        return output
    }

    private static func inflate(
        _ stream: inout z_stream, _ input: UnsafeMutableRawBufferPointer, into output: inout ByteBuffer, limit: Int
    ) -> WebSocketViolation? {
        stream.next_in = input.bindMemory(to: UInt8.self).baseAddress
        stream.avail_in = UInt32(clamping: input.count)
        while true {
            // One byte more than is allowed, to see that it is too long.
            let room = min(limit + 1 - output.readableBytes, max(1024, 4 * input.count))
            var code = Z_OK
            output.writeWithUnsafeMutableBytes(minimumWritableBytes: room) { space in
                let count = min(room, space.count)
                stream.next_out = space.bindMemory(to: UInt8.self).baseAddress
                stream.avail_out = UInt32(count)
                code = CZlib.inflate(&stream, Z_SYNC_FLUSH)
                return count - Int(stream.avail_out)
            }
            if output.readableBytes > limit { return .tooLarge }
            switch code {
            case Z_OK where stream.avail_out == 0: continue
            case Z_OK, Z_BUF_ERROR: return stream.avail_in == 0 ? nil : .notDeflate
            case Z_STREAM_END:
                // A last block may be followed by others (section 7.2.3.4), if only by the tail.
                if stream.avail_in == 0 { return nil }
                inflateReset(&stream)
            default: return .notDeflate
            }
        }
    }
}
