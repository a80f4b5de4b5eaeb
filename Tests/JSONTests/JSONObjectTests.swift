import JSON
import Testing

@Suite("JSON object")
struct JSONObjectTests {
    @Test("keeps the order of its members when values are replaced", arguments: [3, 50])
    func order(_ count: Int) {
        var object = JSONObject()
        for number in 0..<count { object["k\(number)"] = .number(Double(number)) }
        object["k1"] = "new"
        #expect(object.keys == (0..<count).map { "k\($0)" })
        #expect(object["k1"] == "new")
        #expect(object["k2"] == 2)
        #expect(object["none"] == nil)
    }

    @Test("finds the others after a member was removed", arguments: [3, 17, 50])
    func remove(_ count: Int) {
        var object = JSONObject()
        for number in 0..<count { object.append("k\(number)", .number(Double(number))) }
        #expect(object.remove("k0") == 0)
        #expect(object.remove("k0") == nil)
        object["k1"] = nil
        #expect(object.count == count - 2)
        for number in 2..<count { #expect(object["k\(number)"] == .number(Double(number))) }
        #expect(!object.contains(key: "k1"))
    }

    @Test("is sorted by the bytes of the keys")
    func sorted() {
        let object: JSONObject = ["b": 1, "a": 2, "Z": 3, "é": 4, "aa": 5, "\u{FFFD}": 6, "😀": 7]
        #expect(object.sorted().keys == ["Z", "a", "aa", "b", "é", "\u{FFFD}", "😀"])
        #expect(
            JSON.object(["b": [["d": 1, "c": 2]], "a": 1]).sortedKeys().serialized() == #"{"a":1,"b":[{"c":2,"d":1}]}"#)
    }

    @Test("gives values only as what they are")
    func accessors() {
        let value: JSON = ["s": "x", "n": 1.5, "i": 3, "b": true, "a": [1], "z": nil]
        #expect(value["s"]?.stringValue == "x")
        #expect(value["n"]?.intValue == nil)
        #expect(value["n"]?.numberValue == 1.5)
        #expect(value["i"]?.intValue == 3)
        #expect(value["b"]?.boolValue == true)
        #expect(value["a"]?.arrayValue?.count == 1)
        #expect(value["z"]?.isNull == true)
        #expect(value["none"] == nil)
        #expect(JSON.number(1e300).intValue == nil)
        #expect(JSON.number(.nan).intValue == nil)
    }

    @Test("keeps the last value of a key a literal has twice")
    func literal() {
        #expect(JSON.object(["a": 1, "a": 2]).serialized() == #"{"a":2}"#)
    }
}
