import JSON
import Testing

@Suite("JSON parser")
struct JSONParserTests {
    @Test(
        "reads every kind of value",
        arguments: [
            ("null", JSON.null), ("true", true), ("false", false), (" \n\t\r0 ", 0), ("-0.5e1", -5), ("1E2", 100),
            ("12345678901234567890", 12_345_678_901_234_567_890.0), ("0.1", 0.1), ("1e-7", 1e-7),
            ("123456789.123456789012345", 123_456_789.123_456_789), ("5e-324", .number(.leastNonzeroMagnitude)),
            ("1e-400", 0),
            (#""a\"\\\/\b\f\n\r\t\u00e9\uD83D\uDE00""#, "a\"\\/\u{8}\u{c}\n\r\té😀"), (#""\u0000""#, "\0"),
            ("[]", []), ("{}", [:]), ("[1,[2,{}],\"x\"]", [1, [2, [:]], "x"]),
            (#"{"b":1,"a":{"c":null}}"#, ["b": 1, "a": ["c": nil]]),
        ] as [(String, JSON)])
    func values(_ text: String, _ expected: JSON) throws {
        #expect(try JSONParser.parse(text) == expected)
        #expect(Array(text.utf8).withUnsafeBufferPointer { JSONParser.isValid($0) })
    }

    @Test(
        "refuses what is not JSON and says why",
        arguments: [
            ("", 0, .unexpectedEnd), ("  ", 2, .unexpectedEnd), ("nul", 3, .unexpectedEnd),
            ("nulL", 3, .unexpectedByte(0x4C)), ("[1,]", 3, .unexpectedByte(0x5D)), ("[1", 2, .unexpectedEnd),
            ("{\"a\"}", 4, .unexpectedByte(0x7D)), ("{a:1}", 1, .unexpectedByte(0x61)),
            ("{\"a\":1,}", 7, .unexpectedByte(0x7D)), ("01", 1, .invalidNumber), ("1.", 2, .unexpectedEnd),
            ("1.x", 2, .invalidNumber), ("-", 1, .unexpectedEnd), ("-a", 1, .invalidNumber), ("1e", 2, .unexpectedEnd),
            ("+1", 0, .unexpectedByte(0x2B)), (".5", 0, .unexpectedByte(0x2E)), ("1e400", 0, .numberOutOfRange),
            ("\"a", 2, .unexpectedEnd), ("\"a\nb\"", 2, .controlCharacter), (#""\x""#, 2, .invalidEscape),
            (#""\u12G4""#, 5, .invalidEscape), (#""\uD800""#, 1, .loneSurrogate), (#""\uDC00""#, 1, .loneSurrogate),
            (#""\uD800\u0041""#, 1, .loneSurrogate), (#"{"a":1,"a":2}"#, 7, .duplicateKey), ("1 2", 2, .trailingData),
            ("NaN", 0, .unexpectedByte(0x4E)), ("'a'", 0, .unexpectedByte(0x27)), ("[1 2]", 3, .unexpectedByte(0x32)),
            ("\u{FEFF}1", 0, .unexpectedByte(0xEF)),
        ] as [(String, Int, JSONError.Reason)])
    func refusals(_ text: String, _ offset: Int, _ reason: JSONError.Reason) {
        #expect(throws: JSONError(offset: offset, reason: reason)) { try JSONParser.parse(text) }
        #expect(Array(text.utf8).withUnsafeBufferPointer { JSONParser.isValid($0) } == (reason == .duplicateKey))
    }

    @Test(
        "refuses strings that are not UTF-8",
        arguments: [[0xFF], [0xC0, 0x80], [0xED, 0xA0, 0x80], [0xF4, 0x90, 0x80, 0x80], [0xE2, 0x82]] as [[UInt8]])
    func invalidUTF8(_ bytes: [UInt8]) {
        #expect(throws: JSONError(offset: 1, reason: .invalidUTF8)) { try JSONParser.parse([0x22] + bytes + [0x22]) }
        #expect(!([0x22] + bytes + [0x22]).withUnsafeBufferPointer { JSONParser.isValid($0) })
        #expect(throws: JSONError.self) { try JSONParser.parse([0x22, 0x5C, 0x6E] + bytes + [0x22]) }
    }

    @Test("ignores what follows the first value if told so")
    func trailing() throws {
        #expect(try JSONParser.parse("{\"a\":1} rubbish", options: .init(allowTrailing: true)) == ["a": 1])
    }

    @Test("lets the last of equal keys win if told so")
    func duplicates() throws {
        let parsed = try JSONParser.parse(#"{"a":1,"b":2,"a":3}"#, options: .init(rejectDuplicateKeys: false))
        #expect(parsed == ["a": 3, "b": 2])
    }

    @Test("finds a duplicate key among many")
    func manyKeys() {
        let members = (0..<40).map { "\"k\($0)\":\($0)" }
        #expect(throws: Never.self) { try JSONParser.parse("{" + members.joined(separator: ",") + "}") }
        #expect(throws: JSONError.self) { try JSONParser.parse("{" + members.joined(separator: ",") + ",\"k7\":0}") }
    }

    @Test("takes keys that only look alike for two keys")
    func canonicalEquivalence() throws {
        let parsed = try JSONParser.parse("{\"\u{E9}\":1,\"e\u{301}\":2}")
        #expect(parsed.objectValue?.count == 2)
        #expect(parsed["e\u{301}"] == 2)
        #expect(JSON.string("\u{E9}") != JSON.string("e\u{301}"))
    }

    @Test("stops at the depth allowed and survives the deepest value it gives")
    func depth() throws {
        func nested(_ depth: Int) -> String {
            String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
        }
        #expect(throws: JSONError(offset: 3, reason: .tooDeep)) {
            try JSONParser.parse(nested(4), options: .init(maxDepth: 3))
        }
        let limit = JSONParser.Options.depthLimit
        #expect(try JSONParser.parse(nested(limit)).serialized() == nested(limit))
        #expect(throws: JSONError(offset: limit, reason: .tooDeep)) { try JSONParser.parse(nested(100_000)) }
        #expect(throws: JSONError.self) {
            try JSONParser.parse(String(repeating: "{\"a\":", count: 1_000_000), options: .init(maxDepth: .max))
        }
    }
}
