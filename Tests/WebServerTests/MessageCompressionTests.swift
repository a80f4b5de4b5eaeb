import NIOCore
import Testing

@testable import WebServer

@Suite("Compressed messages")
struct MessageCompressionTests {
    @Test(
        "an offer is taken only when all of it is understood",
        arguments: [
            ("permessage-deflate", true), ("permessage-deflate; client_max_window_bits", true),
            ("Permessage-Deflate;client_max_window_bits=10; server_no_context_takeover", true),
            ("permessage-deflate; client_max_window_bits=\"15\"", true),
            ("x-webkit-deflate-frame, permessage-deflate", true),
            ("permessage-deflate; server_max_window_bits=10, permessage-deflate", true), ("", false),
            ("permessage-deflate; server_max_window_bits=10", false), ("permessage-deflate; unknown", false),
            ("permessage-deflate; client_max_window_bits=7", false),
            ("permessage-deflate; client_max_window_bits=016", false),
            ("permessage-deflate; client_max_window_bits=", false),
            ("permessage-deflate; server_no_context_takeover=1", false),
            ("permessage-deflate; client_no_context_takeover; client_no_context_takeover", false),
            ("permessage-deflate;", false), ("permessage-deflated", false),
        ])
    func offers(_ header: String, _ isTaken: Bool) {
        #expect(MessageCompression.isOffered([header]) == isTaken)
        #expect(MessageCompression.isOffered(["other", header]) == isTaken)
    }

    private func compress(_ bytes: [UInt8]) -> [UInt8]? {
        bytes.withUnsafeBytes { MessageCompression.compress($0) }
    }

    @Test("what is compressed comes out again, and what would not be shorter is left as it is")
    func roundTrip() throws {
        var state: UInt64 = 7
        for size in [0, 1, 16, 17, 100, 1000, 9000, 200_000] {
            let text = (0..<size).map { UInt8(truncatingIfNeeded: 0x20 + ($0 * $0 / 7) % 23) }
            if let short = compress(text) {
                #expect(short.count < text.count)
                let data = ByteBuffer(bytes: short)
                #expect(try MessageCompression.decompress(data, limit: size) == ByteBuffer(bytes: text))
                #expect(throws: WebSocketViolation.tooLarge) {
                    try MessageCompression.decompress(data, limit: size - 1)
                }
            } else {
                #expect(size < 1000)
            }
            let noise = (0..<size).map { _ -> UInt8 in
                state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                return UInt8(truncatingIfNeeded: state >> 56)
            }
            #expect(compress(noise) == nil)
        }
    }

    @Test("examples of RFC 7692, section 7.2.3")
    func examples() throws {
        let hello = ByteBuffer(string: "Hello")
        for payload: [UInt8] in [
            [0xF2, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00],
            // No compression, a last block, two blocks.
            [0x00, 0x05, 0x00, 0xFA, 0xFF, 0x48, 0x65, 0x6C, 0x6C, 0x6F, 0x00],
            [0xF3, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00, 0x00],
            [0xF2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xFF, 0xFF, 0xCA, 0xC9, 0xC9, 0x07, 0x00],
        ] {
            #expect(try MessageCompression.decompress(ByteBuffer(bytes: payload), limit: 100) == hello)
        }
        #expect(try MessageCompression.decompress(ByteBuffer(bytes: [0]), limit: 100).readableBytes == 0)
    }

    @Test("bombs and nonsense are refused, and the next message is not harmed")
    func refusals() throws {
        let zeros = try #require(compress([UInt8](repeating: 0, count: 5_000_000)))
        #expect(zeros.count < 50_000)
        #expect(throws: WebSocketViolation.tooLarge) {
            try MessageCompression.decompress(ByteBuffer(bytes: zeros), limit: 1 << 20)
        }
        for nonsense: [UInt8] in [[0xFF, 0xFF, 0xFF], [0x06, 1, 2, 3], [0x00, 0x05, 0x00, 0x00, 0x00]] {
            #expect(throws: WebSocketViolation.notDeflate) {
                try MessageCompression.decompress(ByteBuffer(bytes: nonsense), limit: 1 << 20)
            }
        }
        var state: UInt64 = 1
        for _ in 0..<3000 {
            let bytes = (0..<40).map { _ -> UInt8 in
                state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                return UInt8(truncatingIfNeeded: state >> 56)
            }
            if let found = try? MessageCompression.decompress(ByteBuffer(bytes: bytes), limit: 5000) {
                #expect(found.readableBytes <= 5000)
            }
        }
        let text = Array(String(repeating: "abc ", count: 50).utf8)
        let short = try #require(compress(text))
        #expect(try MessageCompression.decompress(ByteBuffer(bytes: short), limit: 200) == ByteBuffer(bytes: text))
    }

    @Test("the first frame of a message says that it is compressed, when that was agreed on")
    func frames() throws {
        let text = String(repeating: "compressed ", count: 30)
        let short = try #require(compress(Array(text.utf8)))
        func frame(_ first: UInt8, _ payload: some Collection<UInt8>) -> ByteBuffer {
            var buffer = ByteBuffer(bytes: [first, 0x80 | UInt8(payload.count), 0, 0, 0, 0])
            buffer.writeBytes(payload)
            return buffer
        }
        func next(_ frames: ByteBuffer..., agreed: Bool = true, limit: Int = 1000) throws -> WebSocketParser.Event? {
            var parser = WebSocketParser(maxMessage: limit, allowsCompression: agreed)
            var input = ByteBuffer()
            for frame in frames { input.writeImmutableBuffer(frame) }
            return try parser.next(&input)
        }
        let whole = WebSocketParser.Event.message(isText: true, ByteBuffer(string: text))
        #expect(try next(frame(0xC1, short)) == whole)
        #expect(try next(frame(0x41, short.prefix(5)), frame(0x80, short.dropFirst(5))) == whole)
        let plain = WebSocketParser.Event.message(isText: true, ByteBuffer(string: "plain"))
        #expect(try next(frame(0x81, Array("plain".utf8))) == plain)
        let broken = WebSocketViolation.malformed("reserved bits")
        #expect(throws: broken) { try next(frame(0xC1, short), agreed: false) }
        #expect(throws: broken) { try next(frame(0xC9, [])) }
        #expect(throws: broken) { try next(frame(0xA1, short)) }
        #expect(throws: broken) { try next(frame(0x41, short.prefix(5)), frame(0xC0, short.dropFirst(5))) }
        #expect(throws: WebSocketViolation.tooLarge) { try next(frame(0xC1, short), limit: text.utf8.count - 1) }
        let latin = try #require(compress([UInt8](repeating: 0xE4, count: 100)))
        #expect(throws: WebSocketViolation.notText) { try next(frame(0xC1, latin)) }
    }
}
