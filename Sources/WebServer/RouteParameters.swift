import Marks
import NIOCore

/// The values that the path gave to a route's `{name}` segments.
package struct RouteParameters: Sendable {
    let names: [String]
    let ranges: [Range<Int>]
    let bytes: ByteBuffer

    static let none = RouteParameters(names: [], ranges: [], bytes: ByteBuffer())

    /// The percent-decoded value of the segment `{name}` or of the tail `{name...}`; nil when the route has none.
    package subscript(_ name: String) -> String? {
        guard let index = names.firstIndex(of: name), index < ranges.count else { return nil }
        return bytes.withUnsafeReadableBytes { all in
            let raw = UnsafeRawBufferPointer(rebasing: all[ranges[index]])
            return CombiningMarks.limited(
                raw.contains(UInt8(ascii: "%")) ? PercentCoding.decode(raw) : String(decoding: raw, as: UTF8.self))
        }
    }
}
