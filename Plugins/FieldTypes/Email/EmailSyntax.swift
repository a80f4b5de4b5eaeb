/// What an e-mail address looks like: RFC 5322's dot-atom with international characters before the sign, no quoted
/// strings, and a domain that has a dot, as PocketBase has it.
enum EmailSyntax {
    static func isAddress(_ utf8: UnsafeBufferPointer<UInt8>) -> Bool {
        let text = Array(String(decoding: utf8, as: UTF8.self).unicodeScalars.map(\.value))
        guard let at = text.lastIndex(of: 0x40) else { return false }
        return isDotAtom(text[..<at]) && isDomain(text[(at + 1)...])
    }

    private static func isLetter(_ scalar: UInt32) -> Bool {
        (0x61...0x7A).contains(scalar | 0x20) || isInternational(scalar)
    }

    private static func isWord(_ scalar: UInt32) -> Bool { isLetter(scalar) || (0x30...0x39).contains(scalar) }

    private static func isInternational(_ scalar: UInt32) -> Bool {
        (0xA0...0xD7FF).contains(scalar) || (0xF900...0xFDCF).contains(scalar) || (0xFDF0...0xFFEF).contains(scalar)
    }

    private static let atomMarks = Set("!#$%&'*+-/=?^_`{|}~".unicodeScalars.map(\.value))

    private static func isDotAtom(_ local: ArraySlice<UInt32>) -> Bool {
        local.split(separator: 0x2E, omittingEmptySubsequences: false).allSatisfy { atom in
            !atom.isEmpty && atom.allSatisfy { isWord($0) || atomMarks.contains($0) }
        }
    }

    /// Anything between letters or digits, a dot, and a last label between letters; one more dot may follow.
    private static func isDomain(_ domain: ArraySlice<UInt32>) -> Bool {
        var domain = domain
        if domain.last == 0x2E { domain = domain.dropLast() }
        guard let dot = domain.lastIndex(of: 0x2E) else { return false }
        let head = domain[..<dot]
        let last = domain[(dot + 1)...]
        guard let headFirst = head.first, let headLast = head.last, let first = last.first, let end = last.last else {
            return false
        }
        func isInner(_ scalar: UInt32) -> Bool { isWord(scalar) || [0x2D, 0x5F, 0x7E].contains(scalar) }
        return isWord(headFirst) && isWord(headLast) && isLetter(first) && isLetter(end)
            && head.allSatisfy { isInner($0) || $0 == 0x2E } && last.allSatisfy(isInner)
    }
}
