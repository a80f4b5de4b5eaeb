import JSON

/// Log lines packed together, as they wait in memory and in the spool alike. A request's line holds what was told of it
/// and becomes JSON when it is inserted: by far the smaller form, and the cheaper one to make.
///
/// The layout, with all numbers little-endian: `RLG1`, the size of the lines (4 bytes), the number in the first line's id
/// (4), the check sum of both and the lines (8), the lines. Each line: its size without these 4 bytes, flags (1), level (1),
/// Unix milliseconds (8), texts. A text has its size before it, in groups of seven bits.
struct LogBlock: Sendable {
    /// Bytes from which on a block is full. One is inserted as one transaction, for which whoever changes the log waits.
    static let fullSize = 256 << 10
    /// The largest block that is read; more than one with the longest line has.
    static let maxSize = 64 << 20
    static let headerSize = 20
    /// The longest text of a message in bytes, and the longest data.
    private static let longestText = 8 << 20
    private static let magic: UInt32 = 0x3147_4C52

    /// The block, and room for more: filled up with zeros, so that a line is written with one look at the array.
    private var storage: [UInt8]
    /// Bytes of the block.
    private(set) var size: Int
    /// What makes the ids of lines of one millisecond differ: the first line's number, the others count on from it. It
    /// stays with the block, so that lines which are inserted again are known by their ids.
    private(set) var number: UInt32

    var isEmpty: Bool { size == Self.headerSize }
    var isFull: Bool { size >= Self.fullSize }

    init() {
        storage = [UInt8](repeating: 0, count: 4096)
        size = Self.headerSize
        number = .random(in: .min ... .max)
    }

    /// Makes it a new one that has the memory of before.
    mutating func reset() {
        size = Self.headerSize
        number = .random(in: .min ... .max)
    }

    func withBytes<T>(_ body: (UnsafeRawBufferPointer) throws -> T) rethrows -> T {
        try storage.withUnsafeBytes { try body(UnsafeRawBufferPointer(rebasing: $0[..<size])) }
    }

    // MARK: - Writing

    fileprivate struct Flags: OptionSet {
        let rawValue: UInt8
        static let request = Flags(rawValue: 1)
        static let authID = Flags(rawValue: 2)
        static let addresses = Flags(rawValue: 4)
        /// The user's address is the one that the request came from.
        static let sameAddress = Flags(rawValue: 8)
        static let error = Flags(rawValue: 16)
        static let details = Flags(rawValue: 32)
    }

    mutating func append(_ entry: LogEntry) {
        var writer = JSONWriter()
        writer.object(entry.data)
        if writer.count > Self.longestText {
            writer.reset()
            writer.object(JSONObject())
        }
        writer.withBytes { data in
            var message = entry.message
            message.withUTF8 { message in
                appendLine(entry.level, entry.milliseconds, [], room: message.count + data.count) { line in
                    line.put(UnsafeRawBufferPointer(message), limit: Self.longestText)
                    line.put(UnsafeRawBufferPointer(data))
                }
            }
        }
    }

    mutating func append(_ request: borrowing RequestLog) {
        var flags: Flags = .request
        var room = request.method.utf8.count + request.url.count + request.referer.count + request.userAgent.count
        room += request.auth.utf8.count
        if let id = request.authID {
            flags.insert(.authID)
            room += id.utf8.count
        }
        if let remoteIP = request.remoteIP {
            flags.insert(.addresses)
            room += remoteIP.utf8.count
            if request.userIP == remoteIP {
                flags.insert(.sameAddress)
            } else {
                room += request.userIP?.utf8.count ?? 0
            }
        }
        if let error = request.error {
            flags.insert(.error)
            room += error.utf8.count
        }
        if let details = request.details {
            flags.insert(.details)
            room += details.utf8.count
        }
        appendLine(request.level, request.milliseconds, flags, room: room) { line in
            line.put(UInt16(truncatingIfNeeded: request.status))
            line.put(request.duration)
            line.put(request.method, limit: 50)
            line.put(request.url, limit: 3000)
            line.put(request.referer, limit: 2000)
            line.put(request.userAgent, limit: 2000)
            line.put(request.auth)
            if let id = request.authID { line.put(id) }
            if let remoteIP = request.remoteIP {
                line.put(remoteIP)
                if !flags.contains(.sameAddress) { line.put(request.userIP ?? "") }
            }
            if let error = request.error { line.put(error) }
            if let details = request.details { line.put(details) }
        }
    }

    /// - Parameter room: bytes of all texts.
    @inline(__always)
    private mutating func appendLine(
        _ level: LogEntry.Level, _ milliseconds: Int64, _ flags: Flags, room: Int, _ body: (inout LineWriter) -> Void
    ) {
        let end = size + room + LineWriter.overhead
        if storage.count < end {
            storage.append(contentsOf: [UInt8](repeating: 0, count: max(end - storage.count, storage.count)))
        }
        size = storage.withUnsafeMutableBytes { bytes in
            guard let base = bytes.baseAddress else { return size }
            var line = LineWriter(place: base + size + 4)
            line.put(flags.rawValue)
            line.put(Int8(truncatingIfNeeded: level.rawValue))
            line.put(milliseconds)
            body(&line)
            let end = line.place - base
            (base + size).storeBytes(of: UInt32(end - size - 4).littleEndian, as: UInt32.self)
            return end
        }
    }

    /// Writes into memory that has room for it.
    private struct LineWriter {
        /// What a line has besides its texts, and `...` where these are cut, at most.
        static let overhead = 128

        private(set) var place: UnsafeMutableRawPointer

        init(place: UnsafeMutableRawPointer) { self.place = place }

        @inline(__always)
        mutating func put<T: FixedWidthInteger & BitwiseCopyable>(_ value: T) {
            place.storeBytes(of: value.littleEndian, as: T.self)
            place += MemoryLayout<T>.size
        }

        @inline(__always)
        private mutating func put(size: Int) {
            var rest = size
            while rest >= 0x80 {
                put(UInt8(truncatingIfNeeded: rest) | 0x80)
                rest >>= 7
            }
            put(UInt8(truncatingIfNeeded: rest))
        }

        /// - Parameter limit: bytes, after which `...` takes the place of the rest.
        @inline(__always)
        mutating func put(_ text: UnsafeRawBufferPointer, limit: Int = .max) {
            let isCut = text.count > limit
            let count = isCut ? limit : text.count
            put(size: isCut ? limit + 3 : count)
            if let base = text.baseAddress { place.copyMemory(from: base, byteCount: count) }
            place += count
            if isCut { for _ in 0..<3 { put(UInt8(ascii: ".")) } }
        }

        @inline(__always)
        mutating func put(_ text: String, limit: Int = .max) {
            var text = text
            text.withUTF8 { put(UnsafeRawBufferPointer($0), limit: limit) }
        }
    }

    /// Completes the header, before the block leaves the memory.
    mutating func seal() {
        let (size, number) = (size, number)
        storage.withUnsafeMutableBytes { bytes in
            bytes.storeBytes(of: Self.magic.littleEndian, as: UInt32.self)
            bytes.storeBytes(
                of: UInt32(truncatingIfNeeded: size - Self.headerSize).littleEndian, toByteOffset: 4, as: UInt32.self)
            bytes.storeBytes(of: number.littleEndian, toByteOffset: 8, as: UInt32.self)
            let sum = Self.checkSum(UnsafeRawBufferPointer(rebasing: bytes[..<size]))
            bytes.storeBytes(of: sum.littleEndian, toByteOffset: 12, as: UInt64.self)
        }
    }

    /// Of the size, the number and the lines: what a torn write leaves does not have it.
    private static func checkSum(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
        var sum = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: 4, as: UInt64.self))
        func mix(_ word: UInt64) {
            sum = (sum ^ word) &* 0x9E37_79B9_7F4A_7C15
            sum ^= sum >> 32
        }
        var place = headerSize
        while place + 8 <= bytes.count {
            mix(UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: place, as: UInt64.self)))
            place += 8
        }
        var rest: UInt64 = 1
        while place < bytes.count {
            rest = rest << 8 | UInt64(bytes[place])
            place += 1
        }
        mix(rest)
        return sum
    }

    // MARK: - Reading

    /// The size of the block that begins with a header; nil when it is none.
    static func size(header: UnsafeRawBufferPointer) -> Int? {
        guard header.count >= headerSize,
            UInt32(littleEndian: header.loadUnaligned(as: UInt32.self)) == magic
        else { return nil }
        let size = headerSize + Int(UInt32(littleEndian: header.loadUnaligned(fromByteOffset: 4, as: UInt32.self)))
        return size <= maxSize ? size : nil
    }

    /// Takes a block as it was written; nil when it is not whole.
    init?(_ bytes: [UInt8]) {
        self.init(unchecked: bytes)
        let isWhole = bytes.withUnsafeBytes { bytes in
            Self.size(header: bytes) == bytes.count
                && UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: 12, as: UInt64.self))
                    == Self.checkSum(bytes)
        }
        guard isWhole else { return nil }
    }

    /// A block of bytes that nobody has checked.
    init(unchecked bytes: [UInt8]) {
        storage = bytes
        size = bytes.count
        number = bytes.withUnsafeBytes { bytes in
            bytes.count < Self.headerSize
                ? 0 : UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt32.self))
        }
    }

    /// Where a line is, and what decides whether it is kept.
    struct Line {
        let milliseconds: Int64
        let level: Int
        /// The number in its id.
        let number: UInt32
        fileprivate let flags: Flags
        fileprivate let content: Range<Int>
    }

    /// All lines, in the order that they were appended in.
    var lines: [Line] {
        withBytes { bytes in
            var cursor = LogCursor(bytes, min(Self.headerSize, bytes.count)..<bytes.count)
            var lines: [Line] = []
            while !cursor.isAtEnd {
                let number = number &+ UInt32(truncatingIfNeeded: lines.count)
                var line = LogCursor(bytes, cursor.range(Int(cursor.number(UInt32.self))))
                let flags = Flags(rawValue: line.number(UInt8.self))
                let level = Int(line.number(Int8.self))
                // Only what no writer writes is outside of the years that can be formatted.
                let milliseconds = min(max(line.number(Int64.self), 0), 253_402_300_799_999)
                lines.append(
                    Line(milliseconds: milliseconds, level: level, number: number, flags: flags, content: line.rest))
            }
            return lines
        }
    }

    /// Calls a body with a line's message and its data, as `_logs` has them.
    /// - Parameter writer: memory that is used again for each line.
    func withTexts<T>(
        of line: Line, _ writer: inout JSONWriter,
        _ body: (_ message: UnsafeBufferPointer<UInt8>, _ data: UnsafeBufferPointer<UInt8>) throws -> T
    ) rethrows -> T {
        try withBytes { bytes in
            var cursor = LogCursor(bytes, line.content)
            guard line.flags.contains(.request) else {
                let message = cursor.text()
                return try body(message, cursor.text())
            }
            let status = Int(cursor.number(UInt16.self))
            let duration = cursor.number(UInt64.self)
            let (method, url) = (cursor.text(), cursor.text())
            let (referer, userAgent) = (cursor.text(), cursor.text())
            writer.reset()
            writer.beginObject()
            // In PocketBase's order.
            writer.key(plain: "auth")
            writer.string(utf8: cursor.text())
            if line.flags.contains(.authID) { writer.key(plain: "authId"); writer.string(utf8: cursor.text()) }
            let remoteIP = line.flags.contains(.addresses) ? cursor.text() : nil
            let userIP = remoteIP.map { line.flags.contains(.sameAddress) ? $0 : cursor.text() }
            let error = line.flags.contains(.error) ? cursor.text() : nil
            if line.flags.contains(.details) { writer.key(plain: "details"); writer.string(utf8: cursor.text()) }
            if let error { writer.key(plain: "error"); writer.string(utf8: error) }
            writer.key(plain: "execTime")
            writer.double(Double(duration) / 1_000_000)
            writer.key(plain: "method")
            writer.string(utf8: method)
            writer.key(plain: "referer")
            writer.string(utf8: referer)
            if let remoteIP { writer.key(plain: "remoteIP"); writer.string(utf8: remoteIP) }
            writer.key(plain: "status")
            writer.int(status)
            writer.key(plain: "type")
            writer.string("request")
            writer.key(plain: "url")
            writer.string(utf8: url)
            writer.key(plain: "userAgent")
            writer.string(utf8: userAgent)
            if let userIP { writer.key(plain: "userIP"); writer.string(utf8: userIP) }
            writer.endObject()
            return try withUnsafeTemporaryAllocation(of: UInt8.self, capacity: method.count + 1 + url.count) {
                message in
                _ = message.update(fromContentsOf: method)
                message[method.count] = UInt8(ascii: " ")
                _ = message[(method.count + 1)...].update(fromContentsOf: url)
                return try writer.withBytes { try body(UnsafeBufferPointer(message), $0) }
            }
        }
    }
}

/// Reads numbers and texts one after the other. What would be beyond the end is 0 or empty, whatever the bytes say.
private struct LogCursor {
    private let bytes: UnsafeRawBufferPointer
    private(set) var rest: Range<Int>

    init(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>) {
        self.bytes = bytes
        rest = range
    }

    var isAtEnd: Bool { rest.isEmpty }

    mutating func range(_ size: Int) -> Range<Int> {
        let end = rest.lowerBound + min(size, rest.count)
        defer { rest = end..<rest.upperBound }
        return rest.lowerBound..<end
    }

    mutating func number<T: FixedWidthInteger & BitwiseCopyable>(_ type: T.Type) -> T {
        let range = range(MemoryLayout<T>.size)
        guard range.count == MemoryLayout<T>.size else { return 0 }
        return T(littleEndian: bytes.loadUnaligned(fromByteOffset: range.lowerBound, as: type))
    }

    mutating func text() -> UnsafeBufferPointer<UInt8> {
        var size = 0
        for shift in stride(from: 0, to: 35, by: 7) {
            let byte = number(UInt8.self)
            size |= Int(byte & 0x7F) << shift
            if byte < 0x80 { break }
        }
        return UnsafeRawBufferPointer(rebasing: bytes[range(size)]).assumingMemoryBound(to: UInt8.self)
    }
}
