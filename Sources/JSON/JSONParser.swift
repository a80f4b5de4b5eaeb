/// Parses JSON text (RFC 8259) as PocketBase's body parser does: strictly, with duplicate keys, invalid UTF-8, lone
/// surrogate escapes and a byte order mark refused.
///
/// For example:
///
///     let body = try JSONParser.parse(bytes, options: .init(allowTrailing: true))
public struct JSONParser {
    /// What a parser accepts.
    public struct Options: Sendable {
        /// The largest depth that any parse allows.
        ///
        /// Go stops at 10,000. A tree of Swift values is destroyed, compared and written recursively, though, and must
        /// be so on a thread with a small stack too, hence less.
        public static let depthLimit = 1000

        /// How deep arrays and objects may nest, at most ``depthLimit``.
        public var maxDepth: Int

        /// Whether whatever follows the first value is ignored. Otherwise only white space may follow.
        public var allowTrailing: Bool

        /// Whether a key that an object already has is an error. Otherwise the last value wins, in the first's place.
        public var rejectDuplicateKeys: Bool

        /// Whether texts with long runs of combining marks are refused, which take Swift long to compare: for what clients
        /// send, not for what is stored.
        public var rejectLongMarks: Bool

        public init(
            maxDepth: Int = Options.depthLimit, allowTrailing: Bool = false, rejectDuplicateKeys: Bool = true,
            rejectLongMarks: Bool = false
        ) {
            self.rejectLongMarks = rejectLongMarks
            self.maxDepth = maxDepth
            self.allowTrailing = allowTrailing
            self.rejectDuplicateKeys = rejectDuplicateKeys
        }
    }

    /// Parses one value.
    ///
    /// - Parameters:
    ///   - bytes: the text as UTF-8; read only during the call.
    ///   - options: what is accepted.
    /// - Throws: where and why the text is not JSON.
    public static func parse(
        _ bytes: UnsafeBufferPointer<UInt8>, options: Options = Options()
    ) throws(JSONError) -> JSON {
        guard let base = bytes.baseAddress else { throw JSONError(offset: 0, reason: .unexpectedEnd) }
        var reader = JSONReader(base: base, end: bytes.count, options: options)
        return try reader.readDocument()
    }

    /// Parses one value from an array of UTF-8 bytes.
    public static func parse(_ bytes: [UInt8], options: Options = Options()) throws(JSONError) -> JSON {
        try bytes.withUnsafeBufferPointer { (buffer) throws(JSONError) -> JSON in
            try parse(buffer, options: options)
        }
    }

    /// Parses one value from a string.
    public static func parse(_ text: String, options: Options = Options()) throws(JSONError) -> JSON {
        var text = text
        // `withUTF8` has no typed throws.
        let result = text.withUTF8 { buffer -> Result<JSON, JSONError> in
            do throws(JSONError) {
                return .success(try parse(buffer, options: options))
            } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }

    /// Whether `parse` would take the bytes, told without making the tree. Duplicate keys do not count.
    public static func isValid(_ bytes: UnsafeBufferPointer<UInt8>, options: Options = Options()) -> Bool {
        guard let base = bytes.baseAddress else { return false }
        var reader = JSONReader(base: base, end: bytes.count, options: options)
        do {
            try reader.skipDocument()
            return true
        } catch {
            return false
        }
    }
}
