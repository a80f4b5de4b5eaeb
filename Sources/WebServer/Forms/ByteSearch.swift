import Glibc

/// Finds a multipart delimiter in bytes.
enum ByteSearch {
    /// The offset of the first `needle`, or nil.
    ///
    /// Linear for needles whose first byte (here a CR) does not occur again in them: failed comparisons cannot overlap
    /// (and for short ones anyway).
    static func find(_ needle: [UInt8], in bytes: UnsafeRawBufferPointer) -> Int? {
        guard let base = bytes.baseAddress, let first = needle.first else { return nil }
        var position = 0
        while position + needle.count <= bytes.count,
            let found = memchr(base + position, Int32(first), bytes.count - position - needle.count + 1)
        {
            if memcmp(found, needle, needle.count) == 0 { return UnsafeRawPointer(found) - base }
            position = UnsafeRawPointer(found) - base + 1
        }
        return nil
    }
}
