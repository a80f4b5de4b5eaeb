internal import PluginABI

/// A value of a field.
public enum Value: Sendable, Equatable {
    case null
    case bool(Bool)
    case number(Double)
    case text(String)
    /// One valid, compact JSON document: an array or an object, or any JSON in a json field.
    case json(String)
}

extension Value {
    /// The value that JSON carries; arrays and objects become `.json`.
    public init(_ json: JSON) {
        switch json {
        case .null: self = .null
        case .bool(let value): self = .bool(value)
        case .number(let value): self = .number(value)
        case .string(let value): self = .text(value)
        case .array, .object: self = .json(json.serialized())
        }
    }

    /// A list of strings as a JSON array.
    public init(list: [String]) {
        var writer = JSONWriter(capacity: list.count * 20 + 2)
        writer.beginArray()
        for member in list { writer.string(member) }
        writer.endArray()
        self = .json(String(decoding: writer.bytes, as: UTF8.self))
    }

    /// The JSON that the value stands for; `.json` text that does not parse is null.
    public var asJSON: JSON {
        switch self {
        case .null: .null
        case .bool(let value): .bool(value)
        case .number(let value): .number(value)
        case .text(let value): .string(value)
        case .json(let text): (try? JSONParser.parse(text)) ?? .null
        }
    }

    /// The text of a `.text`, else nil.
    public var text: String? { if case .text(let value) = self { value } else { nil } }

    /// Lends the value in the ABI's form.
    func withRoostValue<Result>(_ body: (UnsafePointer<roost_value>) throws -> Result) rethrows -> Result {
        var raw = roost_value()
        switch self {
        case .null: raw.kind = ROOST_NULL
        case .bool(let value):
            raw.kind = ROOST_BOOL
            raw.integer = value ? 1 : 0
        case .number(let value):
            raw.kind = ROOST_NUMBER
            raw.number = value
        case .text(var text):
            raw.kind = ROOST_TEXT
            return try text.withUTF8 {
                raw.bytes = roost_bytes($0)
                return try withUnsafePointer(to: raw, body)
            }
        case .json(var text):
            raw.kind = ROOST_JSON
            return try text.withUTF8 {
                raw.bytes = roost_bytes($0)
                return try withUnsafePointer(to: raw, body)
            }
        }
        return try withUnsafePointer(to: raw, body)
    }
}

/// A value that the host lends for the time of a call: looked at without being copied. To keep it, take ``value``.
public struct BorrowedValue {
    let raw: UnsafePointer<roost_value>

    init(_ raw: UnsafePointer<roost_value>) { self.raw = raw }

    public var isNull: Bool { raw.pointee.kind == ROOST_NULL }
    public var isText: Bool { raw.pointee.kind == ROOST_TEXT }
    public var isJSON: Bool { raw.pointee.kind == ROOST_JSON }

    /// The bool of a bool, else nil.
    public var bool: Bool? { raw.pointee.kind == ROOST_BOOL ? raw.pointee.integer != 0 : nil }
    /// The number of a number, else nil.
    public var number: Double? { raw.pointee.kind == ROOST_NUMBER ? raw.pointee.number : nil }
    /// A copy of the text of a text, else nil.
    public var text: String? { isText ? raw.pointee.bytes.string : nil }
    /// The bytes of a text or a JSON document, valid during the call; empty for other kinds.
    public var utf8: UnsafeBufferPointer<UInt8> { raw.pointee.bytes.buffer }

    /// A copy that may be kept.
    public var value: Value { Value(raw.pointee) }

    /// The JSON that the value stands for.
    public var asJSON: JSON {
        isJSON ? (try? JSONParser.parse(utf8)) ?? .null : value.asJSON
    }
}

extension Value {
    init(_ raw: roost_value) {
        switch raw.kind {
        case ROOST_BOOL: self = .bool(raw.integer != 0)
        case ROOST_NUMBER: self = .number(raw.number)
        case ROOST_TEXT: self = .text(raw.bytes.string)
        case ROOST_JSON: self = .json(raw.bytes.string)
        default: self = .null
        }
    }
}

/// What became of a value.
public enum Normalised: Sendable, Equatable {
    /// It is right as it is: nothing is copied.
    case unchanged
    case changed(Value)
}
