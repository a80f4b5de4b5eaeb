/// Writes the decimal digits of an integer, at most 20 bytes, and returns how many.
func writeInteger(_ value: Int64, to out: UnsafeMutablePointer<UInt8>) -> Int {
    var rest = value.magnitude
    var length = value < 0 ? 2 : 1
    var power = rest
    while power >= 10 {
        power /= 10
        length += 1
    }
    if value < 0 { out[0] = UInt8(ascii: "-") }
    var position = length
    repeat {
        let quotient = rest / 10
        position -= 1
        out[position] = 0x30 + UInt8(truncatingIfNeeded: rest - quotient * 10)
        rest = quotient
    } while rest != 0
    return length
}

/// Writes a double as Go's encoding/json does, at most 32 bytes, and returns how many: the fewest digits that give the
/// same double back, without an exponent unless the value is below 1e-6 or at least 1e21. What is not finite becomes
/// `null`.
func writeDouble(_ value: Double, to out: UnsafeMutablePointer<UInt8>) -> Int {
    if value.magnitude < 9_007_199_254_740_992, value == value.rounded(.towardZero),
        value != 0 || value.sign == .plus
    {
        return writeInteger(Int64(value), to: out)
    }
    var cursor = Cursor(out)
    guard value.isFinite else {
        for byte in "null".utf8 { cursor.put(byte) }
        return cursor.count
    }
    if value.sign == .minus { cursor.put(UInt8(ascii: "-")) }
    if value == 0 {
        cursor.put(0x30)
        return cursor.count
    }
    // Swift's description has the same shortest digits in another layout: take the digits and the exponent out of it.
    var text = value.magnitude.description
    text.withUTF8 { writeDigits(of: $0, to: &cursor) }
    return cursor.count
}

private struct Cursor {
    let out: UnsafeMutablePointer<UInt8>
    var count = 0

    init(_ out: UnsafeMutablePointer<UInt8>) { self.out = out }

    @inline(__always)
    mutating func put(_ byte: UInt8) {
        out[count] = byte
        count += 1
    }
}

/// Lays out anew a positive number written as `12.5`, `1e+22` or `1.25e-07`.
private func writeDigits(of text: UnsafeBufferPointer<UInt8>, to out: inout Cursor) {
    withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 32) { digits in
        var count = 0
        // The power of ten by which 0.d1d2d3… is to be multiplied.
        var point = 0
        var isAfterPoint = false
        var position = 0
        while position < text.count, text[position] != UInt8(ascii: "e") {
            let byte = text[position]
            if byte == UInt8(ascii: ".") {
                isAfterPoint = true
            } else if count > 0 || byte != 0x30 {
                digits[count] = byte
                count += 1
                if !isAfterPoint { point += 1 }
            } else if isAfterPoint {
                point -= 1
            }
            position += 1
        }
        point += exponent(text[position...])
        while count > 1, digits[count - 1] == 0x30 { count -= 1 }

        if point - 1 < -6 || point - 1 >= 21 {
            out.put(digits[0])
            if count > 1 { out.put(UInt8(ascii: ".")) }
            for index in 1..<max(count, 1) { out.put(digits[index]) }
            out.put(UInt8(ascii: "e"))
            out.put(point - 1 < 0 ? UInt8(ascii: "-") : UInt8(ascii: "+"))
            out.count += writeInteger(Int64(abs(point - 1)), to: out.out + out.count)
        } else if point <= 0 {
            out.put(0x30)
            out.put(UInt8(ascii: "."))
            for _ in point..<0 { out.put(0x30) }
            for index in 0..<count { out.put(digits[index]) }
        } else {
            for index in 0..<max(count, point) {
                if index == point { out.put(UInt8(ascii: ".")) }
                out.put(index < count ? digits[index] : 0x30)
            }
        }
    }
}

/// The value of `e+22`, or 0 if there is nothing.
private func exponent(_ text: Slice<UnsafeBufferPointer<UInt8>>) -> Int {
    var isNegative = false
    var value = 0
    for byte in text.dropFirst() {
        switch byte {
        case UInt8(ascii: "-"): isNegative = true
        case UInt8(ascii: "+"): break
        default: value = value * 10 + Int(byte &- 0x30)
        }
    }
    return isNegative ? -value : value
}
