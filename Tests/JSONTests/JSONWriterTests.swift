import JSON
import Testing

@Suite("JSON writer")
struct JSONWriterTests {
    @Test(
        "writes numbers as Go does",
        arguments: [
            (0, "0"), (-0.0, "-0"), (1, "1"), (-1.5, "-1.5"), (0.1, "0.1"), (1e20, "100000000000000000000"),
            (1e21, "1e+21"), (1.5e300, "1.5e+300"), (1e-6, "0.000001"), (1.25e-7, "1.25e-7"), (1e-7, "1e-7"),
            (9_007_199_254_740_992, "9007199254740992"), (9_223_372_036_854_775_808, "9223372036854776000"),
            (123456.789, "123456.789"), (.leastNonzeroMagnitude, "5e-324"),
            (0.30000000000000004, "0.30000000000000004"),
            (1.7976931348623157e308, "1.7976931348623157e+308"), (100.25, "100.25"), (1e16, "10000000000000000"),
            (-1e-10, "-1e-10"), (123456789012345683968, "123456789012345680000"), (.infinity, "null"), (.nan, "null"),
        ] as [(Double, String)])
    func numbers(_ number: Double, _ expected: String) {
        #expect(JSON.number(number).serialized() == expected)
    }

    @Test("writes integers of every size")
    func integers() {
        var writer = JSONWriter()
        writer.beginArray()
        for number in [0, 9, 10, -1, Int.max, Int.min] { writer.int(number) }
        writer.int(UInt8(200))
        writer.endArray()
        #expect(text(writer) == "[0,9,10,-1,9223372036854775807,-9223372036854775808,200]")
    }

    @Test(
        "escapes what must be escaped and nothing else",
        arguments: [
            ("", #""""#), ("plain text that is long", #""plain text that is long""#), ("\"\\/", #""\"\\/""#),
            ("\n\r\t\u{8}\u{c}\0\u{1f}", #""\n\r\t\b\f\u0000\u001f""#), ("é😀\u{7f}", "\"é😀\u{7f}\""),
            ("\u{2028}\u{2029}\u{2027}", "\"\\u2028\\u2029\u{2027}\""), ("<a href='x'>&", #""<a href='x'>&""#),
            ("abcdefgh\"ijklmnop\n", #""abcdefgh\"ijklmnop\n""#),
        ])
    func strings(_ string: String, _ expected: String) {
        #expect(JSON.string(string).serialized() == expected)
    }

    @Test("escapes HTML as Go does if told so")
    func html() {
        let text = JSON.string("<b>&é\n</b>").serialized(options: .init(htmlEscape: true))
        #expect(text == #""\u003cb\u003e\u0026é\n\u003c/b\u003e""#)
    }

    @Test(
        "replaces bytes that are not UTF-8",
        arguments: [
            ([0x61, 0xFF, 0x62], "a\u{FFFD}b"), ([0xE2, 0x80], "\u{FFFD}\u{FFFD}"), ([0xE2], "\u{FFFD}"),
            ([0xED, 0xA0, 0x80], "\u{FFFD}\u{FFFD}\u{FFFD}"), ([0xF0, 0x9F, 0x98, 0x80], "😀"),
        ] as [([UInt8], String)])
    func invalidUTF8(_ bytes: [UInt8], _ expected: String) {
        var writer = JSONWriter()
        bytes.withUnsafeBufferPointer { writer.string(utf8: $0) }
        #expect(text(writer) == "\"\(expected)\"")
    }

    @Test("puts commas between elements and members by itself")
    func commas() {
        var writer = JSONWriter(capacity: 64)
        let title = JSONWriter.escapedKey("ti\"tle")
        writer.beginObject()
        writer.key("a" as String)
        writer.beginArray()
        writer.endArray()
        writer.key("b")
        writer.beginArray()
        writer.bool(true)
        writer.writeNull()
        writer.beginObject()
        writer.endObject()
        writer.raw("[1]")
        writer.raw([0x32] as [UInt8])
        writer.endArray()
        writer.key(escaped: title)
        writer.json(["x": 1])
        writer.endObject()
        #expect(text(writer) == #"{"a":[],"b":[true,null,{},[1],2],"ti\"tle":{"x":1}}"#)
    }

    @Test("writes one line for each element if told so")
    func pretty() {
        let value: JSON = ["a": [1, ["b": [:], "c": []]], "d": "x"]
        let expected = """
            {
              "a": [
                1,
                {
                  "b": {},
                  "c": []
                }
              ],
              "d": "x"
            }
            """
        #expect(value.serialized(options: .init(pretty: true)) == expected)
    }

    private func text(_ writer: JSONWriter) -> String { String(decoding: writer.bytes, as: UTF8.self) }
}
