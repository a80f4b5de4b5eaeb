/// What a `Range` header asks of a file (RFC 9110 section 14).
enum ByteRanges: Equatable {
    case whole
    case one(Range<Int>)
    case several([Range<Int>])
    /// All of it lies outside of the file.
    case unsatisfiable
    case malformed

    /// More ranges than this are not served one by one.
    private static let most = 50

    init(_ value: String, size: Int) {
        guard value.hasPrefix("bytes=") else {
            self = .malformed
            return
        }
        var ranges: [Range<Int>] = []
        var isOutside = false
        for item in value.dropFirst(6).split(separator: ",") {
            let text = item.filter { $0 != " " && $0 != "\t" }
            if text.isEmpty { continue }
            guard let range = Self.range(text, size: size) else {
                self = .malformed
                return
            }
            if let range { ranges.append(range) } else { isOutside = true }
        }
        if ranges.isEmpty {
            self = isOutside ? .unsatisfiable : .whole
            return
        }
        // More than the file in pieces is an attack or a mistake.
        let isTooMuch = ranges.count > Self.most || ranges.reduce(0) { $0 + $1.count } > size
        self = isTooMuch ? .whole : ranges.count == 1 ? .one(ranges[0]) : .several(ranges)
    }

    /// - Returns: nil for what is no range; a range of nil for one outside of the file.
    private static func range(_ text: String, size: Int) -> Range<Int>?? {
        let parts = text.split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, parts.allSatisfy({ $0.utf8.allSatisfy { (0x30...0x39).contains($0) } }) else {
            return nil
        }
        if parts[0].isEmpty {
            guard let count = Int(parts[1]) else { return nil }
            if count == 0 || size == 0 { return .some(nil) }
            return .some(max(size - count, 0)..<size)
        }
        guard let start = Int(parts[0]) else { return nil }
        if start >= size { return .some(nil) }
        if parts[1].isEmpty { return .some(start..<size) }
        guard let end = Int(parts[1]), end >= start else { return nil }
        return .some(start..<min(end, size - 1) + 1)
    }
}
