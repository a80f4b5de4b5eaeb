internal import PluginABI

/// A compiled RE2 pattern: linear time whatever the text.
///
/// `@unchecked Sendable`: the compiled pattern is immutable and may be used from any thread.
public final class Pattern: @unchecked Sendable {
    private let raw: OpaquePointer
    private let table: UnsafePointer<roost_text_v1>

    init(_ text: String, _ call: Call) throws {
        guard let table = call.host.textTable else { throw HostError.denied(ROOST_TABLE_TEXT) }
        var out: OpaquePointer?
        try check(text.withRoostBytes { table.pointee.compile_pattern?(call.raw, $0, &out) })
        guard let out else { throw HostError(status: ROOST_EINTERNAL) }
        self.table = table
        raw = out
    }

    deinit { table.pointee.release_pattern?(raw) }

    /// Whether the pattern matches anywhere in the text.
    public func matches(_ text: String) -> Bool {
        text.withRoostBytes { table.pointee.matches?(raw, $0) == 1 }
    }

    /// The same for UTF-8 bytes, without a copy.
    public func matches(_ utf8: UnsafeBufferPointer<UInt8>) -> Bool {
        table.pointee.matches?(raw, roost_bytes(utf8)) == 1
    }
}

extension Call {
    /// Random text that matches a pattern.
    func random(matching pattern: String) throws -> String {
        guard let table = host.textTable else { throw HostError.denied(ROOST_TABLE_TEXT) }
        var out = roost_bytes()
        try check(pattern.withRoostBytes { table.pointee.random_from_pattern?(raw, $0, &out) })
        return out.string
    }
}

extension Host {
    /// Bytes from the system's random source.
    public func randomBytes(_ count: Int) -> [UInt8] {
        guard let fill = textTable?.pointee.random_bytes else {
            var generator = SystemRandomNumberGenerator()
            return (0..<count).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
        }
        return [UInt8](unsafeUninitializedCapacity: count) { buffer, initialised in
            if let base = buffer.baseAddress, count > 0 { fill(base, UInt64(count)) }
            initialised = count
        }
    }
}
