internal import Engine
internal import JSON
internal import PluginABI

/// The longest text or document that a plugin may hand over, in bytes.
private let longestBytes: UInt64 = 1 << 30

extension roost_bytes {
    init(_ buffer: UnsafeBufferPointer<UInt8>) {
        self.init(data: buffer.baseAddress, length: UInt64(buffer.count))
    }

    /// The bytes that a plugin gave; nil when they cannot be some.
    var buffer: UnsafeBufferPointer<UInt8>? {
        if length == 0 { return UnsafeBufferPointer(start: nil, count: 0) }
        guard let data, length <= longestBytes else { return nil }
        return UnsafeBufferPointer(start: data, count: Int(length))
    }

    /// The text that a plugin gave; nil when it is not UTF-8.
    var text: String? {
        guard let buffer else { return nil }
        return String(validating: buffer, as: UTF8.self)
    }

    /// The text that a plugin gave for people, with what is not UTF-8 replaced.
    var message: String { buffer.map { String(decoding: $0, as: UTF8.self) } ?? "" }

    /// The JSON object that a plugin gave; empty bytes are an empty object, nil is none.
    var object: JSONObject? {
        guard let buffer else { return nil }
        if buffer.isEmpty { return JSONObject() }
        return (try? JSONParser.parse(buffer))?.objectValue
    }

    /// Whether both are the same memory.
    func isSame(_ other: roost_bytes) -> Bool { data == other.data && length == other.length }
}

/// Calls `body` with a text's bytes, which are valid during it.
@inline(__always)
func withBytes<R>(_ text: String, _ body: (roost_bytes) throws -> R) rethrows -> R {
    var text = text
    return try text.withUTF8 { try body(roost_bytes($0)) }
}

/// Text that lives as long as this, for pointers that a plugin keeps.
///
/// `@unchecked Sendable`: written once in init.
final class StableBytes: @unchecked Sendable {
    private let buffer: UnsafeMutableBufferPointer<UInt8>

    init(_ text: String) {
        let bytes = Array(text.utf8)
        buffer = .allocate(capacity: max(bytes.count, 1))
        buffer.initialize(repeating: 0)
        for (index, byte) in bytes.enumerated() { buffer[index] = byte }
        count = bytes.count
    }

    private let count: Int
    var bytes: roost_bytes { roost_bytes(data: buffer.baseAddress, length: UInt64(count)) }

    deinit { buffer.deallocate() }
}

/// Calls `body` with a value as it crosses the boundary; its bytes are valid during the call.
@inline(__always)
func withABIValue<R>(_ value: Value, _ body: (inout roost_value) throws -> R) rethrows -> R {
    var crossing = roost_value()
    switch value {
    case .null:
        break
    case .bool(let flag):
        crossing.kind = ROOST_BOOL
        crossing.integer = flag ? 1 : 0
    case .number(let number):
        crossing.kind = ROOST_NUMBER
        crossing.number = number
    case .text(var text):
        return try text.withUTF8 {
            crossing.kind = ROOST_TEXT
            crossing.bytes = roost_bytes($0)
            return try body(&crossing)
        }
    case .json(var text):
        return try text.withUTF8 {
            crossing.kind = ROOST_JSON
            crossing.bytes = roost_bytes($0)
            return try body(&crossing)
        }
    }
    return try body(&crossing)
}

extension Value {
    /// Reads what a plugin gave; nil when it is no value: an unknown kind, text that is not UTF-8, a document that is
    /// not JSON, a number that JSON cannot write.
    init?(_ value: roost_value) {
        switch value.kind {
        case ROOST_NULL:
            self = .null
        case ROOST_BOOL:
            guard value.integer == 0 || value.integer == 1 else { return nil }
            self = .bool(value.integer == 1)
        case ROOST_NUMBER:
            guard value.number.isFinite else { return nil }
            self = .number(value.number)
        case ROOST_TEXT:
            guard let text = value.bytes.text else { return nil }
            self = .text(text)
        case ROOST_JSON:
            guard let buffer = value.bytes.buffer, let document = try? JSONParser.parse(buffer) else { return nil }
            // The rest of the engine counts on compact documents (`Value.isEmpty` compares their text).
            if CompactJSON.hasNoSpace(buffer) {
                self = .json(String(decoding: buffer, as: UTF8.self))
            } else {
                self = .json(document.serialized())
            }
        default:
            return nil
        }
    }
}

enum CompactJSON {
    /// Whether a valid document has no white space outside its strings.
    static func hasNoSpace(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
        var isInString = false
        var index = 0
        while index < bytes.count {
            let byte = bytes[index]
            if isInString {
                if byte == UInt8(ascii: "\\") { index += 1 } else if byte == UInt8(ascii: "\"") { isInString = false }
            } else if byte == UInt8(ascii: "\"") {
                isInString = true
            } else if byte <= 0x20 {
                return false
            }
            index += 1
        }
        return true
    }
}
