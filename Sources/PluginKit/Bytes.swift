internal import PluginABI

extension roost_bytes {
    /// The bytes; valid as long as what lent them says.
    var buffer: UnsafeBufferPointer<UInt8> {
        UnsafeBufferPointer(start: data, count: data == nil ? 0 : Int(clamping: length))
    }

    /// A copy as text; bytes that are not UTF-8 become U+FFFD.
    var string: String { String(decoding: buffer, as: UTF8.self) }

    init(_ buffer: UnsafeBufferPointer<UInt8>) {
        self.init(data: buffer.baseAddress, length: UInt64(buffer.count))
    }

    /// Copies a text into memory that is never released. For descriptors and other static data.
    static func keepingForever(_ text: String) -> roost_bytes {
        copying(text.utf8)
    }

    /// Copies bytes into memory that the caller releases with `deallocateCopy`.
    static func copying(_ bytes: some Collection<UInt8>) -> roost_bytes {
        guard !bytes.isEmpty else { return roost_bytes() }
        let memory = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: bytes.count)
        _ = memory.initialize(from: bytes)
        return roost_bytes(UnsafeBufferPointer(memory))
    }

    func deallocateCopy() { data?.deallocate() }
}

extension String {
    /// Lends the text's UTF-8 to a call into the host.
    @inline(__always)
    func withRoostBytes<Result>(_ body: (roost_bytes) throws -> Result) rethrows -> Result {
        var text = self
        return try text.withUTF8 { try body(roost_bytes($0)) }
    }
}

extension [UInt8] {
    /// Lends the bytes to a call into the host.
    @inline(__always)
    func withRoostBytes<Result>(_ body: (roost_bytes) throws -> Result) rethrows -> Result {
        try withUnsafeBufferPointer { try body(roost_bytes($0)) }
    }
}
