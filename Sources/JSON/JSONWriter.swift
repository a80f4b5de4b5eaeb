/// Writes JSON text into an array of bytes and puts the commas itself.
///
/// The output is what Go's encoding/json writes, but for the escaping of `<`, `>` and `&`, which is an option.
///
/// For example:
///
///     var writer = JSONWriter()
///     writer.beginObject()
///     writer.key("id")
///     writer.string("abc")
///     writer.key("total")
///     writer.int(3)
///     writer.endObject()
///     writer.bytes    // {"id":"abc","total":3}
///
/// The caller sees to it that what it writes is balanced and that a key stands before each value of an object.
public struct JSONWriter: Sendable {
    /// How the text looks.
    public struct Options: Sendable {
        /// Whether `<`, `>` and `&` are written as `\u003c`, `\u003e` and `\u0026`.
        public var htmlEscape: Bool

        /// Whether each member and element has a line of its own, indented by two spaces a level.
        public var pretty: Bool

        public init(htmlEscape: Bool = false, pretty: Bool = false) {
            self.htmlEscape = htmlEscape
            self.pretty = pretty
        }
    }

    /// What was written so far. Bytes may be appended directly; the next comma does not know of them.
    public var bytes: [UInt8]

    /// How the text looks.
    public let options: Options

    private var needsComma = false
    private var depth = 0

    /// - Parameters:
    ///   - capacity: the number of bytes to make room for.
    ///   - options: how the text looks.
    public init(capacity: Int = 0, options: Options = Options()) {
        bytes = []
        self.options = options
        if capacity > 0 { bytes.reserveCapacity(capacity) }
    }

    /// Makes room for this many bytes in all.
    public mutating func reserve(_ capacity: Int) { bytes.reserveCapacity(capacity) }

    /// Forgets what was written and keeps the memory.
    public mutating func reset() {
        bytes.removeAll(keepingCapacity: true)
        needsComma = false
        depth = 0
    }

    // MARK: Structure

    public mutating func beginObject() { begin(UInt8(ascii: "{")) }
    public mutating func endObject() { end(UInt8(ascii: "}")) }
    public mutating func beginArray() { begin(UInt8(ascii: "[")) }
    public mutating func endArray() { end(UInt8(ascii: "]")) }

    /// Writes the key of the member whose value comes next.
    @inline(__always)
    public mutating func key(_ key: String) {
        string(key)
        colon()
    }

    /// Writes a key that is known to need no escaping.
    @inline(__always)
    public mutating func key(_ key: StaticString) {
        separate()
        bytes.append(0x22)
        bytes.append(contentsOf: UnsafeBufferPointer(start: key.utf8Start, count: key.utf8CodeUnitCount))
        bytes.append(0x22)
        colon()
    }

    /// Writes a key that was quoted, escaped and given its colon before: `"title":`.
    @inline(__always)
    public mutating func key(escaped key: [UInt8]) {
        separate()
        bytes.append(contentsOf: key)
        if options.pretty { bytes.append(0x20) }
        needsComma = false
    }

    /// The bytes to hand to ``key(escaped:)`` for a key.
    public static func escapedKey(_ key: String, htmlEscape: Bool = false) -> [UInt8] {
        var writer = JSONWriter(options: Options(htmlEscape: htmlEscape))
        writer.string(key)
        writer.bytes.append(UInt8(ascii: ":"))
        return writer.bytes
    }

    // MARK: Values

    /// Writes `null`.
    @inline(__always)
    public mutating func writeNull() { raw("null") }

    /// Writes `true` or `false`.
    @inline(__always)
    public mutating func bool(_ value: Bool) { raw(value ? "true" : "false") }

    /// Writes an integer.
    public mutating func int(_ value: some BinaryInteger) {
        separate()
        appendInteger(Int64(truncatingIfNeeded: value), to: &bytes)
        needsComma = true
    }

    /// Writes a number as Go does; what is not finite becomes `null`.
    public mutating func double(_ value: Double) {
        separate()
        appendDouble(value, to: &bytes)
        needsComma = true
    }

    /// Writes a string.
    @inline(__always)
    public mutating func string(_ value: String) {
        var value = value
        value.withUTF8 { string(utf8: $0) }
    }

    /// Writes a string from UTF-8 bytes, with U+FFFD for each byte that is not part of a well-formed sequence.
    public mutating func string(utf8: UnsafeBufferPointer<UInt8>) {
        separate()
        bytes.append(0x22)
        if let base = utf8.baseAddress {
            let stop =
                options.htmlEscape ? 0 : scanPlainASCII(base, from: 0, to: utf8.count)
            if stop == utf8.count {
                bytes.append(contentsOf: utf8)
            } else {
                appendEscaped(base, count: utf8.count, scanned: stop)
            }
        }
        bytes.append(0x22)
        needsComma = true
    }

    /// Writes bytes that are one JSON value already.
    @inline(__always)
    public mutating func raw(_ value: some Sequence<UInt8>) {
        separate()
        bytes.append(contentsOf: value)
        needsComma = true
    }

    /// Writes a text that is one JSON value already.
    @inline(__always)
    public mutating func raw(_ value: StaticString) {
        separate()
        bytes.append(contentsOf: UnsafeBufferPointer(start: value.utf8Start, count: value.utf8CodeUnitCount))
        needsComma = true
    }

    /// Writes a tree of values.
    public mutating func json(_ value: JSON) {
        switch value {
        case .null: writeNull()
        case .bool(let value): bool(value)
        case .number(let value): double(value)
        case .string(let value): string(value)
        case .array(let elements):
            beginArray()
            for element in elements { json(element) }
            endArray()
        case .object(let object):
            json(object)
        }
    }

    /// Writes an object.
    public mutating func json(_ object: JSONObject) {
        beginObject()
        for (key, value) in object {
            self.key(key)
            json(value)
        }
        endObject()
    }

    // MARK: Separators

    @inline(__always)
    private mutating func separate() {
        if needsComma { bytes.append(UInt8(ascii: ",")) }
        // A value right after its key ends with the space of the colon and starts no line.
        if options.pretty, depth > 0, needsComma || bytes.last != 0x20 { newline() }
    }

    private mutating func newline() {
        bytes.append(0x0A)
        bytes.append(contentsOf: repeatElement(0x20, count: depth * 2))
    }

    @inline(__always)
    private mutating func colon() {
        bytes.append(UInt8(ascii: ":"))
        if options.pretty { bytes.append(0x20) }
        needsComma = false
    }

    @inline(__always)
    private mutating func begin(_ byte: UInt8) {
        separate()
        bytes.append(byte)
        needsComma = false
        depth += 1
    }

    @inline(__always)
    private mutating func end(_ byte: UInt8) {
        depth -= 1
        if options.pretty, needsComma { newline() }
        bytes.append(byte)
        needsComma = true
    }

    // MARK: Escaping

    /// Appends the bytes of a string of which the first `scanned` are known to be plain.
    private mutating func appendEscaped(_ base: UnsafePointer<UInt8>, count: Int, scanned: Int) {
        let htmlEscape = options.htmlEscape
        var plainStart = 0
        var position = scanned
        func flush(to end: Int, _ bytes: inout [UInt8]) {
            if end > plainStart {
                bytes.append(contentsOf: UnsafeBufferPointer(start: base + plainStart, count: end - plainStart))
            }
        }
        while position < count {
            let byte = base[position]
            if byte >= 0x80 {
                let length = utf8Length(base, at: position, end: count)
                if length == 0 {
                    flush(to: position, &bytes)
                    bytes.append(contentsOf: [0xEF, 0xBF, 0xBD])
                    position += 1
                    plainStart = position
                } else if byte == 0xE2, base[position + 1] == 0x80, base[position + 2] & 0xFE == 0xA8 {
                    // U+2028 and U+2029 end a line in JavaScript before ES2019.
                    flush(to: position, &bytes)
                    appendUnicodeEscape(0x2000 | UInt16(base[position + 2] & 0x3F))
                    position += 3
                    plainStart = position
                } else {
                    position += length
                }
            } else if byte < 0x20 || byte == 0x22 || byte == 0x5C {
                flush(to: position, &bytes)
                appendEscape(byte)
                position += 1
                plainStart = position
            } else if htmlEscape, byte == 0x3C || byte == 0x3E || byte == 0x26 {
                flush(to: position, &bytes)
                appendUnicodeEscape(UInt16(byte))
                position += 1
                plainStart = position
            } else if htmlEscape {
                position += 1
            } else {
                position = scanPlainASCII(base, from: position, to: count)
            }
        }
        flush(to: count, &bytes)
    }

    private mutating func appendEscape(_ byte: UInt8) {
        switch byte {
        case 0x22, 0x5C: bytes.append(contentsOf: [0x5C, byte])
        case 0x0A: bytes.append(contentsOf: [0x5C, UInt8(ascii: "n")])
        case 0x0D: bytes.append(contentsOf: [0x5C, UInt8(ascii: "r")])
        case 0x09: bytes.append(contentsOf: [0x5C, UInt8(ascii: "t")])
        case 0x08: bytes.append(contentsOf: [0x5C, UInt8(ascii: "b")])
        case 0x0C: bytes.append(contentsOf: [0x5C, UInt8(ascii: "f")])
        default: appendUnicodeEscape(UInt16(byte))
        }
    }

    private mutating func appendUnicodeEscape(_ unit: UInt16) {
        func hex(_ shift: UInt16) -> UInt8 {
            let digit = UInt8(unit >> shift & 0xF)
            return digit < 10 ? 0x30 + digit : 0x61 - 10 + digit
        }
        bytes.append(contentsOf: [0x5C, UInt8(ascii: "u"), hex(12), hex(8), hex(4), hex(0)])
    }
}

extension JSON {
    /// This value as JSON text.
    public func serialized(options: JSONWriter.Options = JSONWriter.Options()) -> String {
        String(decoding: serializedBytes(options: options), as: UTF8.self)
    }

    /// This value as the bytes of JSON text.
    public func serializedBytes(options: JSONWriter.Options = JSONWriter.Options()) -> [UInt8] {
        var writer = JSONWriter(options: options)
        writer.json(self)
        return writer.bytes
    }
}
