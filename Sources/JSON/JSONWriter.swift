/// Writes JSON text into an array of bytes and puts the commas itself.
///
/// The output is what Go's encoding/json writes, but for the escaping of `<`, `>` and `&`, which is an option.
///
/// For example:
///
///     var writer = JSONWriter()
///     writer.beginObject()
///     writer.key(plain: "id")
///     writer.string("abc")
///     writer.key(plain: "total")
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

    /// What was written so far, copied.
    public var bytes: [UInt8] { withBytes { Array($0) } }

    /// How many bytes were written so far.
    public var count: Int { buffer.count }

    /// How the text looks.
    public let options: Options

    private var buffer: ByteBuffer
    private var needsComma = false
    private var depth = 0

    /// - Parameters:
    ///   - capacity: the number of bytes to make room for.
    ///   - options: how the text looks.
    public init(capacity: Int = 0, options: Options = Options()) {
        buffer = ByteBuffer(capacity: max(capacity, 256))
        self.options = options
    }

    /// Makes room for this many bytes in all.
    public mutating func reserve(_ capacity: Int) { buffer.ensure(max(0, capacity - buffer.count)) }

    /// Forgets what was written and keeps the memory.
    public mutating func reset() {
        buffer.ensure(0)
        buffer.count = 0
        needsComma = false
        depth = 0
    }

    /// Gives a body the bytes written so far, for the time of the call.
    public func withBytes<T>(_ body: (UnsafeBufferPointer<UInt8>) throws -> T) rethrows -> T {
        try withExtendedLifetime(buffer) {
            try body(UnsafeBufferPointer(start: buffer.base, count: buffer.count))
        }
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

    /// Writes a key that is known to need no escaping. Named apart, because a literal would be a `String` otherwise.
    @inline(__always)
    public mutating func key(plain key: StaticString) {
        separate(room: key.utf8CodeUnitCount + 2)
        buffer.put(0x22)
        buffer.put(key.utf8Start, key.utf8CodeUnitCount)
        buffer.put(0x22)
        colon()
    }

    /// Writes a key that was quoted, escaped and given its colon before: `"title":`.
    @inline(__always)
    public mutating func key(escaped key: [UInt8]) {
        separate(room: key.count + 1)
        key.withUnsafeBufferPointer { if let base = $0.baseAddress { buffer.put(base, $0.count) } }
        if options.pretty { buffer.put(0x20) }
        needsComma = false
    }

    /// The bytes to hand to ``key(escaped:)`` for a key.
    public static func escapedKey(_ key: String, htmlEscape: Bool = false) -> [UInt8] {
        var writer = JSONWriter(options: Options(htmlEscape: htmlEscape))
        writer.string(key)
        return writer.bytes + [UInt8(ascii: ":")]
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
        separate(room: 20)
        buffer.count += writeInteger(Int64(truncatingIfNeeded: value), to: buffer.end)
        needsComma = true
    }

    /// Writes a number as Go does; what is not finite becomes `null`.
    public mutating func double(_ value: Double) {
        separate(room: 32)
        buffer.count += writeDouble(value, to: buffer.end)
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
        separate(room: utf8.count + 2)
        buffer.put(0x22)
        if let base = utf8.baseAddress {
            let stop = options.htmlEscape ? 0 : scanPlainASCII(base, from: 0, to: utf8.count)
            if stop == utf8.count {
                buffer.put(base, utf8.count)
            } else {
                putEscaped(base, count: utf8.count, scanned: stop)
            }
        }
        buffer.put(0x22)
        needsComma = true
    }

    /// Writes bytes that are one JSON value already.
    public mutating func raw(_ value: some Sequence<UInt8>) {
        let isDone: Void? = value.withContiguousStorageIfAvailable { raw($0) }
        if isDone == nil { Array(value).withUnsafeBufferPointer { raw($0) } }
    }

    /// Writes bytes that are one JSON value already.
    public mutating func raw(_ value: UnsafeBufferPointer<UInt8>) {
        separate(room: value.count)
        if let base = value.baseAddress { buffer.put(base, value.count) }
        needsComma = true
    }

    /// Writes a text that is one JSON value already.
    public mutating func raw(_ value: StaticString) {
        separate(room: value.utf8CodeUnitCount)
        buffer.put(value.utf8Start, value.utf8CodeUnitCount)
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
        case .object(let members): object(members)
        }
    }

    /// Writes an object.
    public mutating func object(_ object: JSONObject) {
        beginObject()
        for (key, value) in object {
            self.key(key)
            json(value)
        }
        endObject()
    }

    // MARK: Separators

    /// Puts the comma if one is due, and makes room for it and for what is written next: that many bytes and a little
    /// more for a colon and a space.
    @inline(__always)
    private mutating func separate(room: Int) {
        buffer.ensure(room + 4)
        if needsComma { buffer.put(UInt8(ascii: ",")) }
        if options.pretty, depth > 0 { beginLine(room: room) }
    }

    private mutating func beginLine(room: Int) {
        // A value right after its key ends with the space of the colon and starts no line.
        if !needsComma, buffer.last == 0x20 { return }
        newline()
        buffer.ensure(room + 4)
    }

    private mutating func newline() {
        buffer.ensure(depth * 2 + 1)
        buffer.put(0x0A)
        for _ in 0..<depth * 2 { buffer.put(0x20) }
    }

    @inline(__always)
    private mutating func colon() {
        buffer.ensure(2)
        buffer.put(UInt8(ascii: ":"))
        if options.pretty { buffer.put(0x20) }
        needsComma = false
    }

    @inline(__always)
    private mutating func begin(_ byte: UInt8) {
        separate(room: 1)
        buffer.put(byte)
        needsComma = false
        depth += 1
    }

    @inline(__always)
    private mutating func end(_ byte: UInt8) {
        depth -= 1
        if options.pretty, needsComma { newline() }
        buffer.ensure(1)
        buffer.put(byte)
        needsComma = true
    }

    // MARK: Escaping

    /// Writes the bytes of a string of which the first `scanned` are known to be plain.
    private mutating func putEscaped(_ base: UnsafePointer<UInt8>, count: Int, scanned: Int) {
        let htmlEscape = options.htmlEscape
        var plainStart = 0
        var position = scanned
        while position < count {
            let byte = base[position]
            if byte >= 0x80 {
                let length = utf8Length(base, at: position, end: count)
                if length == 0 {
                    flush(base, plainStart, position, count)
                    buffer.put(0xEF)
                    buffer.put(0xBF)
                    buffer.put(0xBD)
                    position += 1
                    plainStart = position
                } else if byte == 0xE2, base[position + 1] == 0x80, base[position + 2] & 0xFE == 0xA8 {
                    // U+2028 and U+2029 end a line in JavaScript before ES2019.
                    flush(base, plainStart, position, count)
                    putUnicodeEscape(0x2000 | UInt16(base[position + 2] & 0x3F))
                    position += 3
                    plainStart = position
                } else {
                    position += length
                }
            } else if byte < 0x20 || byte == 0x22 || byte == 0x5C {
                flush(base, plainStart, position, count)
                putEscape(byte)
                position += 1
                plainStart = position
            } else if htmlEscape, byte == 0x3C || byte == 0x3E || byte == 0x26 {
                flush(base, plainStart, position, count)
                putUnicodeEscape(UInt16(byte))
                position += 1
                plainStart = position
            } else if htmlEscape {
                position += 1
            } else {
                position = scanPlainASCII(base, from: position, to: count)
            }
        }
        flush(base, plainStart, count, count)
    }

    /// Copies the plain bytes from `start` to `end` and makes room for an escape and the `count - end` bytes to come.
    @inline(__always)
    private mutating func flush(_ base: UnsafePointer<UInt8>, _ start: Int, _ end: Int, _ count: Int) {
        buffer.ensure(count - start + 8)
        buffer.put(base + start, end - start)
    }

    private mutating func putEscape(_ byte: UInt8) {
        let letter: UInt8
        switch byte {
        case 0x22, 0x5C: letter = byte
        case 0x0A: letter = UInt8(ascii: "n")
        case 0x0D: letter = UInt8(ascii: "r")
        case 0x09: letter = UInt8(ascii: "t")
        case 0x08: letter = UInt8(ascii: "b")
        case 0x0C: letter = UInt8(ascii: "f")
        default: return putUnicodeEscape(UInt16(byte))
        }
        buffer.put(0x5C)
        buffer.put(letter)
    }

    private mutating func putUnicodeEscape(_ unit: UInt16) {
        buffer.put(0x5C)
        buffer.put(UInt8(ascii: "u"))
        for shift: UInt16 in [12, 8, 4, 0] {
            let digit = UInt8(truncatingIfNeeded: unit >> shift & 0xF)
            buffer.put(digit < 10 ? 0x30 + digit : 0x61 - 10 + digit)
        }
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
