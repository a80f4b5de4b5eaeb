/// What an e-mail address looks like: RFC 5322's dot-atom with international characters before the sign, no quoted
/// strings, and a domain that has a dot, as PocketBase has it.
public enum EmailSyntax {
    /// Whether a text is an address; an empty one is none.
    public static func isAddress(_ text: String) -> Bool {
        var text = text
        return text.withUTF8 { isAddress($0) }
    }

    public static func isAddress(_ utf8: UnsafeBufferPointer<UInt8>) -> Bool {
        withUnsafeTemporaryAllocation(of: UInt32.self, capacity: utf8.count) { buffer in
            var bytes = utf8.makeIterator()
            var count = 0
            while let scalar = nextScalar(&bytes) {
                buffer[count] = scalar
                count += 1
            }
            let text = UnsafeBufferPointer(rebasing: buffer[..<count])
            guard let at = text.lastIndex(of: 0x40) else { return false }
            return isDotAtom(text[..<at]) && isDomain(text[(at + 1)...])
        }
    }

    /// The next scalar of UTF-8 that is known to be valid.
    private static func nextScalar(_ bytes: inout UnsafeBufferPointer<UInt8>.Iterator) -> UInt32? {
        guard let first = bytes.next() else { return nil }
        let more = first < 0xC0 ? 0 : first < 0xE0 ? 1 : first < 0xF0 ? 2 : 3
        if more == 0 { return UInt32(first) }
        var scalar = UInt32(first & (0x3F >> UInt8(more)))
        for _ in 0..<more { scalar = scalar << 6 | UInt32((bytes.next() ?? 0) & 0x3F) }
        return scalar
    }

    private static func isLetter(_ scalar: UInt32) -> Bool {
        (0x61...0x7A).contains(scalar | 0x20) || isInternational(scalar)
    }

    private static func isWord(_ scalar: UInt32) -> Bool { isLetter(scalar) || (0x30...0x39).contains(scalar) }

    private static func isInternational(_ scalar: UInt32) -> Bool {
        (0xA0...0xD7FF).contains(scalar) || (0xF900...0xFDCF).contains(scalar) || (0xFDF0...0xFFEF).contains(scalar)
    }

    private static func isAtomMark(_ scalar: UInt32) -> Bool {
        switch scalar {
        // ! # $ % & ' * + - / = ? ^ _ ` { | } ~
        case 0x21, 0x23...0x27, 0x2A, 0x2B, 0x2D, 0x2F, 0x3D, 0x3F, 0x5E...0x60, 0x7B...0x7E: true
        default: false
        }
    }

    /// Atoms with single dots between them.
    private static func isDotAtom(_ local: Slice<UnsafeBufferPointer<UInt32>>) -> Bool {
        var wasDot = true
        for scalar in local {
            if scalar == 0x2E {
                if wasDot { return false }
                wasDot = true
            } else {
                guard isWord(scalar) || isAtomMark(scalar) else { return false }
                wasDot = false
            }
        }
        return !wasDot
    }

    /// Anything between letters or digits, a dot, and a last label between letters; one more dot may follow.
    private static func isDomain(_ domain: Slice<UnsafeBufferPointer<UInt32>>) -> Bool {
        var domain = domain
        if domain.last == 0x2E { domain = domain.dropLast() }
        guard let dot = domain.lastIndex(of: 0x2E) else { return false }
        let head = domain[..<dot]
        let last = domain[(dot + 1)...]
        guard let headFirst = head.first, let headLast = head.last, let first = last.first, let end = last.last else {
            return false
        }
        func isInner(_ scalar: UInt32) -> Bool { isWord(scalar) || scalar == 0x2D || scalar == 0x5F || scalar == 0x7E }
        return isWord(headFirst) && isWord(headLast) && isLetter(first) && isLetter(end)
            && head.allSatisfy { isInner($0) || $0 == 0x2E } && last.allSatisfy(isInner)
    }
}
