/// Runs of combining marks in what clients send.
///
/// Swift brings texts into one form before it compares or hashes them, which takes the square of the length of a run of marks
/// in mixed order: fifty kilobytes of them hold an event loop for a second. UAX #15 has thirty in a row for enough.
package enum CombiningMarks {
    /// The most in a row.
    package static let most = 64

    /// Whether no run of a text is longer. What is no UTF-8 counts as no mark.
    package static func areFew(in bytes: UnsafeRawBufferPointer) -> Bool { end(of: bytes) == bytes.count }

    package static func areFew(in bytes: [UInt8]) -> Bool { bytes.withUnsafeBytes { areFew(in: $0) } }

    package static func areFew(in text: String) -> Bool {
        var text = text
        return text.withUTF8 { areFew(in: UnsafeRawBufferPointer($0)) }
    }

    /// A text up to the mark that is one too many.
    package static func limited(_ text: String) -> String {
        var text = text
        let count = text.utf8.count
        let place = text.withUTF8 { end(of: UnsafeRawBufferPointer($0)) }
        return place == count ? text : String(decoding: text.utf8.prefix(place), as: UTF8.self)
    }

    /// Where the first mark is that is one too many; the number of bytes when there is none.
    private static func end(of bytes: UnsafeRawBufferPointer) -> Int {
        var index = 0
        var run = 0
        while index < bytes.count {
            while index + 8 <= bytes.count,
                bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self) & 0x8080_8080_8080_8080 == 0
            {
                index += 8
                run = 0
            }
            guard index < bytes.count else { break }
            let lead = bytes[index]
            let length = lead < 0xC0 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4
            guard lead >= 0xCC, index + length <= bytes.count else {
                index += lead < 0xC0 ? 1 : min(length, bytes.count - index)
                run = 0
                continue
            }
            var value = UInt32(lead) & (0x7F >> UInt32(length))
            for next in bytes[index + 1..<index + length] { value = value << 6 | UInt32(next & 0x3F) }
            run = isMark(value) ? run + 1 : 0
            if run > most { return index }
            index += length
        }
        return bytes.count
    }

    private static func isMark(_ value: UInt32) -> Bool {
        switch value {
        // Han, Hangul and private use have none, and are most of what comes beyond Latin.
        case ..<0x300, 0x3400...0x9FFF, 0xAC00...0xD7A3, 0xE000...0xF8FF: return false
        default: break
        }
        guard let scalar = Unicode.Scalar(value) else { return false }
        return scalar.properties.canonicalCombiningClass != .notReordered
    }
}
