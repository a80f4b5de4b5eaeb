import NIOCore

/// Where one header field lies inside the head's bytes.
struct HeaderField: Sendable {
    var nameStart: UInt32
    var nameLength: UInt32
    var valueStart: UInt32
    var valueLength: UInt32
}

/// The header fields of a request, in the order sent. Names are compared without case.
///
/// The fields stay in the bytes that were received; strings are made only for those that somebody asks for.
package struct Headers: Sendable, Sequence {
    let bytes: ByteBuffer
    let fields: [HeaderField]

    init(bytes: ByteBuffer, fields: [HeaderField]) {
        self.bytes = bytes
        self.fields = fields
    }

    /// Headers made from pairs, for requests that did not come over a socket.
    package init(_ pairs: [(String, String)]) {
        var buffer = ByteBuffer()
        var fields: [HeaderField] = []
        fields.reserveCapacity(pairs.count)
        for (name, value) in pairs {
            let start = UInt32(buffer.writerIndex)
            let nameLength = UInt32(buffer.writeString(name))
            let valueLength = UInt32(buffer.writeString(value))
            fields.append(
                HeaderField(
                    nameStart: start, nameLength: nameLength, valueStart: start + nameLength, valueLength: valueLength
                )
            )
        }
        self.bytes = buffer
        self.fields = fields
    }

    package var count: Int { fields.count }

    /// The first value of `name`, or nil when the field was not sent.
    package func first(_ name: String) -> String? {
        withFirst(name) { String(decoding: $0, as: UTF8.self) }
    }

    /// The bytes of the first value of `name`, without making a string. The pointer is valid inside `body` only.
    package func withFirst<Result>(_ name: String, _ body: (UnsafeRawBufferPointer) -> Result) -> Result? {
        var name = name
        return name.withUTF8 { wanted in
            bytes.withUnsafeReadableBytes { all in
                for field in fields where Self.matches(all, field, wanted) {
                    return body(Self.value(all, field))
                }
                return nil
            }
        }
    }

    /// Calls a body with the first values of two names in lower case, empty where the field was not sent. The pointers are
    /// valid inside `body` only.
    func withFirst(
        _ one: StaticString, _ other: StaticString, _ body: (UnsafeRawBufferPointer, UnsafeRawBufferPointer) -> Void
    ) {
        bytes.withUnsafeReadableBytes { all in
            var found = (UnsafeRawBufferPointer(start: nil, count: 0), UnsafeRawBufferPointer(start: nil, count: 0))
            for field in fields.reversed() {
                if Self.matches(all, field, one) { found.0 = Self.value(all, field) }
                if Self.matches(all, field, other) { found.1 = Self.value(all, field) }
            }
            body(found.0, found.1)
        }
    }

    private static func matches(
        _ all: UnsafeRawBufferPointer, _ field: HeaderField, _ lowercase: StaticString
    ) -> Bool {
        let count = lowercase.utf8CodeUnitCount
        guard Int(field.nameLength) == count else { return false }
        let start = Int(field.nameStart)
        for offset in 0..<count where ASCII.lower(all[start + offset]) != lowercase.utf8Start[offset] { return false }
        return true
    }

    /// All values of `name`, in the order sent.
    package func all(_ name: String) -> [String] {
        var name = name
        return name.withUTF8 { wanted in
            bytes.withUnsafeReadableBytes { all in
                fields.filter { Self.matches(all, $0, wanted) }
                    .map { String(decoding: Self.value(all, $0), as: UTF8.self) }
            }
        }
    }

    package func contains(_ name: String) -> Bool {
        withFirst(name) { _ in true } ?? false
    }

    package func makeIterator() -> Iterator {
        Iterator(headers: self)
    }

    package struct Iterator: IteratorProtocol {
        let headers: Headers
        var index = 0

        package mutating func next() -> (name: String, value: String)? {
            guard index < headers.fields.count else { return nil }
            let field = headers.fields[index]
            index += 1
            return headers.bytes.withUnsafeReadableBytes { all in
                (
                    String(
                        decoding: UnsafeRawBufferPointer(
                            rebasing: all[Int(field.nameStart)..<Int(field.nameStart + field.nameLength)]
                        ), as: UTF8.self
                    ),
                    String(decoding: Headers.value(all, field), as: UTF8.self)
                )
            }
        }
    }

    private static func value(_ all: UnsafeRawBufferPointer, _ field: HeaderField) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: all[Int(field.valueStart)..<Int(field.valueStart + field.valueLength)])
    }

    private static func matches(
        _ all: UnsafeRawBufferPointer, _ field: HeaderField, _ wanted: UnsafeBufferPointer<UInt8>
    ) -> Bool {
        guard Int(field.nameLength) == wanted.count else { return false }
        let start = Int(field.nameStart)
        for offset in 0..<wanted.count where ASCII.lower(all[start + offset]) != ASCII.lower(wanted[offset]) {
            return false
        }
        return true
    }
}

/// Byte classes of the HTTP grammar.
enum ASCII {
    @inline(__always)
    static func lower(_ byte: UInt8) -> UInt8 {
        byte &- 0x41 < 26 ? byte | 0x20 : byte
    }

    /// RFC 9110 section 5.6.2: tchar.
    static let isToken: [Bool] = (0..<256).map { value in
        switch UInt8(value) {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            return true
        default:
            return "!#$%&'*+-.^_`|~".utf8.contains(UInt8(value))
        }
    }

    @inline(__always)
    static func hex(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): return byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): return byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): return byte - UInt8(ascii: "A") + 10
        default: return nil
        }
    }

    /// Compares without ASCII case.
    static func equal(_ left: String, _ right: String) -> Bool {
        guard left.utf8.count == right.utf8.count else { return false }
        return zip(left.utf8, right.utf8).allSatisfy { lower($0) == lower($1) }
    }
}
