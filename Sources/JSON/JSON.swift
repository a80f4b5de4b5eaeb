/// A JSON value.
///
/// Objects keep the order of their members and strings compare by their bytes, not by canonical equivalence as Swift's
/// `==` on `String` does: two keys that only look alike are two keys on the wire.
///
/// For example:
///
///     let body: JSON = ["title": "Hello", "tags": ["a", "b"], "stars": 5]
///     body["title"]?.stringValue   // "Hello"
///     body.serialized()            // {"title":"Hello","tags":["a","b"],"stars":5}
public enum JSON: Sendable {
    case null
    case bool(Bool)
    case number(Double)
    case string(String)
    case array([JSON])
    case object(JSONObject)
}

extension JSON {
    /// The text of a string, else nil.
    public var stringValue: String? {
        if case .string(let value) = self { value } else { nil }
    }

    /// The value of a boolean, else nil.
    public var boolValue: Bool? {
        if case .bool(let value) = self { value } else { nil }
    }

    /// The value of a number, else nil.
    public var numberValue: Double? {
        if case .number(let value) = self { value } else { nil }
    }

    /// The value of a number that is an integer in the range of `Int`, else nil.
    public var intValue: Int? {
        if case .number(let value) = self { Int(exactly: value) } else { nil }
    }

    /// The elements of an array, else nil.
    public var arrayValue: [JSON]? {
        if case .array(let value) = self { value } else { nil }
    }

    /// The members of an object, else nil.
    public var objectValue: JSONObject? {
        if case .object(let value) = self { value } else { nil }
    }

    /// Whether this is `null`.
    public var isNull: Bool {
        if case .null = self { true } else { false }
    }

    /// The member of an object with this key; nil if there is none or this is no object.
    public subscript(key: String) -> JSON? {
        if case .object(let object) = self { object[key] } else { nil }
    }

    /// The same value with the members of every object in it ordered by the bytes of their keys.
    public func sortedKeys() -> JSON {
        switch self {
        case .array(let elements):
            return .array(elements.map { $0.sortedKeys() })
        case .object(let object):
            var result = JSONObject()
            result.reserveCapacity(object.count)
            for (key, value) in object.sorted() { result.append(key, value.sortedKeys()) }
            return .object(result)
        case .null, .bool, .number, .string:
            return self
        }
    }
}

extension JSON: Equatable {
    /// Whether two values are the same: objects must agree in the order of their members too.
    public static func == (a: JSON, b: JSON) -> Bool {
        switch (a, b) {
        case (.null, .null): true
        case (.bool(let x), .bool(let y)): x == y
        case (.number(let x), .number(let y)): x == y
        case (.string(let x), .string(let y)): sameBytes(x, y)
        case (.array(let x), .array(let y)): x == y
        case (.object(let x), .object(let y)): x == y
        default: false
        }
    }
}

extension JSON: ExpressibleByNilLiteral, ExpressibleByBooleanLiteral, ExpressibleByIntegerLiteral,
    ExpressibleByFloatLiteral, ExpressibleByStringLiteral, ExpressibleByStringInterpolation,
    ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral
{
    public init(nilLiteral: ()) { self = .null }
    public init(booleanLiteral value: Bool) { self = .bool(value) }
    public init(integerLiteral value: Int) { self = .number(Double(value)) }
    public init(floatLiteral value: Double) { self = .number(value) }
    public init(stringLiteral value: String) { self = .string(value) }
    public init(arrayLiteral elements: JSON...) { self = .array(elements) }

    /// Keeps the order written; a key given twice keeps its first place and its last value.
    public init(dictionaryLiteral elements: (String, JSON)...) {
        var object = JSONObject()
        object.reserveCapacity(elements.count)
        for (key, value) in elements { object[key] = value }
        self = .object(object)
    }
}

/// Whether two strings have the same UTF-8 bytes.
@inline(__always)
func sameBytes(_ a: String, _ b: String) -> Bool {
    // `==` first: it settles nearly all cases by comparing two words, and strings that differ by it differ in bytes.
    a.utf8.count == b.utf8.count && a == b && a.utf8.elementsEqual(b.utf8)
}
