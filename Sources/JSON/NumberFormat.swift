/// Appends the decimal digits of an integer.
func appendInteger(_ value: Int64, to bytes: inout [UInt8]) {
    if value >= 0, value < 10 {
        bytes.append(0x30 + UInt8(truncatingIfNeeded: value))
        return
    }
    withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 20) { buffer in
        var position = 20
        var rest = value.magnitude
        repeat {
            let (quotient, digit) = rest.quotientAndRemainder(dividingBy: 10)
            position -= 1
            buffer[position] = 0x30 + UInt8(truncatingIfNeeded: digit)
            rest = quotient
        } while rest != 0
        if value < 0 {
            position -= 1
            buffer[position] = UInt8(ascii: "-")
        }
        bytes.append(contentsOf: UnsafeBufferPointer(rebasing: buffer[position...]))
    }
}

/// Appends a double as Go's encoding/json does: the fewest digits that give the same double back, without an exponent
/// unless the value is below 1e-6 or at least 1e21. What is not finite becomes `null`.
func appendDouble(_ value: Double, to bytes: inout [UInt8]) {
    if value.magnitude < 9_007_199_254_740_992, value == value.rounded(.towardZero),
        value != 0 || value.sign == .plus
    {
        appendInteger(Int64(value), to: &bytes)
        return
    }
    guard value.isFinite else {
        bytes.append(contentsOf: [0x6E, 0x75, 0x6C, 0x6C])
        return
    }
    if value == 0 {
        bytes.append(contentsOf: [UInt8(ascii: "-"), 0x30])
        return
    }
    if value < 0 { bytes.append(UInt8(ascii: "-")) }
    // Swift's description has the same shortest digits in another layout: take the digits and the exponent out of it.
    var text = value.magnitude.description
    text.withUTF8 { appendDigits(of: $0, to: &bytes) }
}

/// Lays out anew a positive number written as `12.5`, `1e+22` or `1.25e-07`.
private func appendDigits(of text: UnsafeBufferPointer<UInt8>, to bytes: inout [UInt8]) {
    withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 32) { digits in
        var count = 0
        /// The power of ten of the place before the first digit: 0.d1d2d3 × 10^point.
        var point = 0
        var seenPoint = false
        var position = 0
        while position < text.count {
            let byte = text[position]
            if byte == UInt8(ascii: ".") {
                seenPoint = true
            } else if byte == UInt8(ascii: "e") {
                break
            } else if count > 0 || byte != 0x30 {
                digits[count] = byte
                count += 1
                if !seenPoint { point += 1 }
            } else if seenPoint {
                point -= 1
            }
            position += 1
        }
        if position < text.count {
            position += 1
            var negative = false
            var exponent = 0
            while position < text.count {
                switch text[position] {
                case UInt8(ascii: "-"): negative = true
                case UInt8(ascii: "+"): break
                case let byte: exponent = exponent * 10 + Int(byte - 0x30)
                }
                position += 1
            }
            point += negative ? -exponent : exponent
        }
        while count > 1, digits[count - 1] == 0x30 { count -= 1 }
        let significant = UnsafeBufferPointer(rebasing: digits[0..<count])

        // The exponent when written with one digit before the point.
        let exponent = point - 1
        if exponent < -6 || exponent >= 21 {
            bytes.append(significant[0])
            if count > 1 {
                bytes.append(UInt8(ascii: "."))
                bytes.append(contentsOf: UnsafeBufferPointer(rebasing: significant[1...]))
            }
            bytes.append(UInt8(ascii: "e"))
            bytes.append(exponent < 0 ? UInt8(ascii: "-") : UInt8(ascii: "+"))
            appendInteger(Int64(abs(exponent)), to: &bytes)
        } else if point <= 0 {
            bytes.append(contentsOf: [0x30, UInt8(ascii: ".")])
            bytes.append(contentsOf: repeatElement(0x30, count: -point))
            bytes.append(contentsOf: significant)
        } else if count <= point {
            bytes.append(contentsOf: significant)
            bytes.append(contentsOf: repeatElement(0x30, count: point - count))
        } else {
            bytes.append(contentsOf: UnsafeBufferPointer(rebasing: significant[0..<point]))
            bytes.append(UInt8(ascii: "."))
            bytes.append(contentsOf: UnsafeBufferPointer(rebasing: significant[point...]))
        }
    }
}
