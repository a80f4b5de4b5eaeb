/// Scans for the bytes of a string that need attention, eight at a time ("Bit Twiddling Hacks", "Determine if a word
/// has a byte less than n"). False marks appear above a true one only, so the lowest mark is exact.
private let ones: UInt64 = 0x0101_0101_0101_0101
private let highs: UInt64 = 0x8080_8080_8080_8080

@inline(__always)
private func marksZero(_ word: UInt64) -> UInt64 { (word &- ones) & ~word & highs }

@inline(__always)
private func marksPlainStop(_ word: UInt64) -> UInt64 {
    let control = (word &- ones &* 0x20) & ~word & highs
    return control | marksZero(word ^ (ones &* 0x22)) | marksZero(word ^ (ones &* 0x5C))
}

/// The first place from `start` on of a quote, a backslash, a control character or a byte that is not ASCII; `end` if
/// there is none.
@inline(__always)
func scanPlainASCII(_ base: UnsafePointer<UInt8>, from start: Int, to end: Int) -> Int {
    let raw = UnsafeRawPointer(base)
    var position = start
    while position &+ 8 <= end {
        let word = UInt64(littleEndian: raw.loadUnaligned(fromByteOffset: position, as: UInt64.self))
        let marks = marksPlainStop(word) | word & highs
        if marks != 0 { return position &+ marks.trailingZeroBitCount >> 3 }
        position &+= 8
    }
    while position < end {
        let byte = base[position]
        if byte < 0x20 || byte >= 0x80 || byte == 0x22 || byte == 0x5C { return position }
        position &+= 1
    }
    return end
}

/// The length of the UTF-8 sequence that begins at `position`, or 0 if it is not well formed (Unicode, table 3-7).
func utf8Length(_ base: UnsafePointer<UInt8>, at position: Int, end: Int) -> Int {
    let lead = base[position]
    func continues(_ offset: Int, _ range: ClosedRange<UInt8> = 0x80...0xBF) -> Bool {
        position + offset < end && range.contains(base[position + offset])
    }
    switch lead {
    case 0x00...0x7F: return 1
    case 0xC2...0xDF: return continues(1) ? 2 : 0
    case 0xE0: return continues(1, 0xA0...0xBF) && continues(2) ? 3 : 0
    case 0xED: return continues(1, 0x80...0x9F) && continues(2) ? 3 : 0
    case 0xE1...0xEF: return continues(1) && continues(2) ? 3 : 0
    case 0xF0: return continues(1, 0x90...0xBF) && continues(2) && continues(3) ? 4 : 0
    case 0xF1...0xF3: return continues(1) && continues(2) && continues(3) ? 4 : 0
    case 0xF4: return continues(1, 0x80...0x8F) && continues(2) && continues(3) ? 4 : 0
    default: return 0
    }
}
