import JSON
import Testing

@Suite("JSON under random input")
struct JSONFuzzTests {
    /// SplitMix64: the same input in every run.
    struct Random: RandomNumberGenerator {
        var state: UInt64
        mutating func next() -> UInt64 {
            state &+= 0x9E37_79B9_7F4A_7C15
            var z = state
            z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
            z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
            return z ^ (z >> 31)
        }
    }

    private func string(_ random: inout Random) -> String {
        let alphabet: [Unicode.Scalar] = ["a", "Z", "\"", "\\", "\n", "\0", "/", "é", "\u{301}", "\u{2028}", "😀", "<"]
        var text = ""
        for _ in 0..<Int.random(in: 0..<24, using: &random) {
            text.unicodeScalars.append(alphabet.randomElement(using: &random) ?? "x")
        }
        return text
    }

    private func value(_ depth: Int, _ random: inout Random) -> JSON {
        switch Int.random(in: 0..<(depth > 0 ? 8 : 6), using: &random) {
        case 0: return .null
        case 1: return .bool(.random(using: &random))
        case 2: return .number(Double(Int.random(in: -1_000_000...1_000_000, using: &random)))
        case 3:
            let number = Double(bitPattern: random.next())
            return .number(number.isFinite ? number : 0.5)
        case 4, 5: return .string(string(&random))
        case 6: return .array((0..<Int.random(in: 0..<6, using: &random)).map { _ in value(depth - 1, &random) })
        default:
            var object = JSONObject()
            for _ in 0..<Int.random(in: 0..<24, using: &random) {
                object[string(&random)] = value(depth - 1, &random)
            }
            return .object(object)
        }
    }

    @Test("what was written reads back equal", arguments: [1, 2, 3] as [UInt64])
    func roundTrip(_ seed: UInt64) throws {
        var random = Random(state: seed)
        for _ in 0..<300 {
            let value = value(4, &random)
            for options in [JSONWriter.Options(), .init(htmlEscape: true), .init(pretty: true)] {
                let text = value.serialized(options: options)
                #expect(try JSONParser.parse(text) == value)
            }
        }
    }

    @Test("random doubles read back with the same bits")
    func doubles() throws {
        var random = Random(state: 4)
        for _ in 0..<20_000 {
            let number = Double(bitPattern: random.next())
            guard number.isFinite else { continue }
            let text = JSON.number(number).serialized()
            let back = try JSONParser.parse(text).numberValue
            if back?.bitPattern != number.bitPattern { Issue.record("\(number) became \(text)") }
        }
    }

    @Test("random bytes and damaged text are refused or read, never fatal")
    func damage() {
        var random = Random(state: 5)
        let bytes = Array(#"{}[]":,\ue0123456789.+-truefalsn"#.utf8) + [0, 0x1F, 0x80, 0xC3, 0xED, 0xF4, 0xFF]
        for round in 0..<20_000 {
            var text: [UInt8]
            if round % 2 == 0 {
                text = (0..<Int.random(in: 0..<40, using: &random)).map { _ in bytes.randomElement(using: &random) ?? 0
                }
            } else {
                text = value(2, &random).serializedBytes()
                for _ in 0..<Int.random(in: 1..<4, using: &random) where !text.isEmpty {
                    let place = Int.random(in: 0..<text.count, using: &random)
                    switch Int.random(in: 0..<3, using: &random) {
                    case 0: text[place] = bytes.randomElement(using: &random) ?? 0
                    case 1: text.remove(at: place)
                    default: text.removeSubrange(place...)
                    }
                }
            }
            let read = try? JSONParser.parse(text, options: .init(rejectDuplicateKeys: false))
            #expect(text.withUnsafeBufferPointer { JSONParser.isValid($0) } == (read != nil))
            guard let value = try? JSONParser.parse(text) else { continue }
            // What reads as JSON is valid UTF-8 and reads the same when written again.
            #expect((try? JSONParser.parse(value.serializedBytes())) == value)
        }
    }

    @Test("random bytes written as text are valid JSON")
    func writerDamage() {
        var random = Random(state: 6)
        for _ in 0..<5_000 {
            let bytes = (0..<Int.random(in: 0..<40, using: &random)).map { _ in UInt8(truncatingIfNeeded: random.next())
            }
            var writer = JSONWriter()
            bytes.withUnsafeBufferPointer { writer.string(utf8: $0) }
            #expect(throws: Never.self) { try JSONParser.parse(writer.bytes) }
        }
    }
}
