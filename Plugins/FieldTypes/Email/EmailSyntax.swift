/// What an e-mail address looks like: RFC 5322's addr-spec with internationalised characters and a domain that has a
/// dot, as the validator that PocketBase uses has it.
enum EmailSyntax {
    static func isAddress(_ utf8: UnsafeBufferPointer<UInt8>) -> Bool {
        // Encoded words (RFC 2047) could smuggle another address past a mail server.
        let text = Array(String(decoding: utf8, as: UTF8.self).unicodeScalars.map(\.value))
        if hasEncodedWord(text) { return false }
        guard let at = text.lastIndex(of: 0x40) else { return false }
        let local = text[..<at]
        return (isDotAtom(local) || isQuoted(local)) && isDomain(text[(at + 1)...])
    }

    private static func hasEncodedWord(_ text: [UInt32]) -> Bool {
        var hasStart = false
        var hasEnd = false
        for index in text.indices.dropLast() {
            if text[index] == 0x3D, text[index + 1] == 0x3F { hasStart = true }
            if text[index] == 0x3F, text[index + 1] == 0x3D { hasEnd = true }
        }
        return hasStart && hasEnd
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

    /// A quoted string; white space in it may be folded.
    private static func isQuoted(_ local: ArraySlice<UInt32>) -> Bool {
        guard local.count >= 2, local.first == 0x22, local.last == 0x22 else { return false }
        var rest = local.dropFirst().dropLast()
        while let scalar = rest.first {
            switch scalar {
            case 0x20, 0x09:
                rest = rest.dropFirst()
            case 0x0D:
                // A line break must be followed by white space.
                rest = rest.dropFirst()
                guard rest.first == 0x0A else { return false }
                rest = rest.dropFirst()
                guard rest.first == 0x20 || rest.first == 0x09 else { return false }
            case 0x28:
                rest = rest.dropFirst()
                // The validator takes one character after a parenthesis that it would not take elsewhere.
                if let next = rest.first, next == 0x22 || next == 0x5C || next == 0x0D { rest = rest.dropFirst() }
            default:
                guard isQuotable(scalar) else { return false }
                rest = rest.dropFirst()
            }
        }
        return true
    }

    private static func isQuotable(_ scalar: UInt32) -> Bool {
        switch scalar {
        case 0x01...0x08, 0x0B, 0x0C, 0x0E...0x1F, 0x7F, 0x21, 0x23...0x5B, 0x5D...0x7E: true
        default: isInternational(scalar)
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
