import NIOCore
import Testing

@testable import WebServer

@Suite("WebSocket frames")
struct WebSocketTests {
    private func frame(
        _ opcode: UInt8, _ payload: [UInt8], final: Bool = true, mask: UInt32? = 0x1234_5678
    ) -> ByteBuffer {
        var buffer = ByteBuffer()
        buffer.writeInteger((final ? 0x80 : 0) | opcode)
        let bit: UInt8 = mask == nil ? 0 : 0x80
        if payload.count < 126 {
            buffer.writeInteger(bit | UInt8(payload.count))
        } else {
            buffer.writeInteger(bit | 126)
            buffer.writeInteger(UInt16(payload.count))
        }
        guard let mask else {
            buffer.writeBytes(payload)
            return buffer
        }
        buffer.writeInteger(mask)
        for (index, byte) in payload.enumerated() {
            buffer.writeInteger(byte ^ UInt8(truncatingIfNeeded: mask >> UInt32(8 * (3 - index & 3))))
        }
        return buffer
    }

    private func events(
        _ frames: ByteBuffer..., limit: Int = 1000, compression: Bool = false
    ) throws -> [WebSocketParser.Event] {
        var parser = WebSocketParser(maxMessage: limit, allowsCompression: compression)
        var input = ByteBuffer()
        var events: [WebSocketParser.Event] = []
        // Byte by byte: a parser must not depend on how the bytes arrive.
        for frame in frames {
            for byte in frame.readableBytesView {
                input.writeInteger(byte)
                while let event = try parser.next(&input) { events.append(event) }
            }
        }
        #expect(input.readableBytes == 0)
        return events
    }

    @Test("messages of all lengths are unmasked", arguments: [0, 1, 7, 8, 9, 125, 126, 127, 200])
    func lengths(count: Int) throws {
        let text = (0..<count).map { UInt8(0x61 + $0 % 26) }
        #expect(try events(frame(1, text)) == [.message(isText: true, ByteBuffer(bytes: text))])
        #expect(try events(frame(2, text, mask: 0)) == [.message(isText: false, ByteBuffer(bytes: text))])
    }

    @Test("a message may come in parts, with control frames between")
    func parts() throws {
        let found = try events(
            frame(1, Array("a".utf8), final: false), frame(9, [1]), frame(0, Array("ä".utf8.prefix(1)), final: false),
            frame(10, []), frame(0, Array("ä".utf8.suffix(1))))
        #expect(found == [.ping(ByteBuffer(bytes: [1])), .pong, .message(isText: true, ByteBuffer(string: "aä"))])
    }

    @Test("what the protocol forbids is refused with its code")
    func violations() {
        func code(_ frames: ByteBuffer...) -> UInt16? {
            var parser = WebSocketParser(maxMessage: 1000)
            var input = ByteBuffer()
            for var frame in frames { input.writeBuffer(&frame) }
            do throws(WebSocketViolation) {
                while try parser.next(&input) != nil {}
                return nil
            } catch { return error.code }
        }
        #expect(code(frame(1, [], mask: nil)) == 1002)
        #expect(code(frame(3, [])) == 1002)
        #expect(code(frame(0, [])) == 1002)
        #expect(code(frame(9, [], final: false)) == 1002)
        #expect(code(frame(1, [], final: false), frame(1, [])) == 1002)
        #expect(code(frame(8, [1])) == 1002)
        #expect(code(frame(8, [0x03, 0xED])) == 1002)
        #expect(code(frame(1, [0xFF])) == 1007)
        #expect(code(frame(2, Array(repeating: 0, count: 1001))) == 1009)
        #expect(
            code(frame(2, Array(repeating: 0, count: 600), final: false), frame(0, Array(repeating: 0, count: 600)))
                == 1009)
        #expect(code(frame(8, [0x03, 0xE8])) == nil)
    }

    @Test("text is refused with the byte that makes it no UTF-8, wherever it is cut")
    func failsFast() throws {
        let good = ["", "a", "ä€😀", "\u{7FF}\u{800}\u{FFFF}\u{10000}\u{10FFFF}\u{D7FF}\u{E000}"]
        for text in good {
            #expect(try events(frame(1, Array(text.utf8))) == [.message(isText: true, ByteBuffer(string: text))])
        }
        // Each with the number of bytes that can still become UTF-8.
        let bad: [([UInt8], Int)] = [
            ([0x80], 0), ([0xC0, 0x80], 0), ([0xC1, 0xBF], 0), ([0xE0, 0x9F, 0xBF], 1), ([0xED, 0xA0, 0x80], 1),
            ([0xF0, 0x8F, 0xBF, 0xBF], 1), ([0xF4, 0x90, 0x80, 0x80], 1), ([0xF5], 0), ([0xFF], 0),
            ([0xE2, 0x82, 0x41], 2),
            (Array("eight or more ascii bytes".utf8) + [0xCE, 0xBA, 0xCE], 27), (Array("ä€😀".utf8.dropLast()), 8),
        ]
        for (bytes, sound) in bad {
            for cut in 0...bytes.count {
                var parser = WebSocketParser(maxMessage: 1000)
                var input = frame(1, Array(bytes[..<cut]), final: false)
                var rest = frame(0, Array(bytes[cut...]))
                input.writeBuffer(&rest)
                #expect(throws: WebSocketViolation.notText) { while try parser.next(&input) != nil {} }
            }
            // In a frame that has not come in full.
            var parser = WebSocketParser(maxMessage: 1000)
            let whole = frame(1, bytes + Array(repeating: 0x61, count: 50))
            var input = ByteBuffer(whole.readableBytesView.prefix(6 + sound))
            #expect(try parser.next(&input) == nil)
            if sound < bytes.count {
                input.writeBytes(whole.readableBytesView.dropFirst(6 + sound).prefix(1))
                let isOver = sound + 1 < bytes.count || bytes.count == 1
                if isOver { #expect(throws: WebSocketViolation.notText) { try parser.next(&input) } }
            }
        }
    }

    @Test("a server's frames have the shortest length")
    func made() {
        #expect(Array(WebSocketFrame.make(.text, [1, 2]).readableBytesView) == [0x81, 2, 1, 2])
        let long = WebSocketFrame.make(.binary, [UInt8](repeating: 0, count: 300))
        #expect(Array(long.readableBytesView.prefix(4)) == [0x82, 126, 1, 44])
        let huge = WebSocketFrame.make(.binary, [UInt8](repeating: 0, count: 70_000))
        #expect(Array(huge.readableBytesView.prefix(10)) == [0x82, 127, 0, 0, 0, 0, 0, 1, 0x11, 0x70])
        let close = WebSocketFrame.close(1000, String(repeating: "ä", count: 100))
        #expect(close.readableBytes == 2 + 2 + 122)
    }

    @Test("the accept key is that of the RFC's example")
    func accept() {
        #expect(Responder.accept("dGhlIHNhbXBsZSBub25jZQ==") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
    }
}
