/// Formats of texts as PocketBase's validators see them. They are written out instead of matched with patterns, since
/// these patterns go back over long texts for very long.
enum TextFormats {
    /// `#rgb` or `#rrggbb`, the `#` optional.
    static func isHexColor(_ text: String) -> Bool {
        let digits = text.utf8.first == UInt8(ascii: "#") ? text.utf8.dropFirst() : text.utf8[...]
        return (digits.count == 3 || digits.count == 6)
            && digits.allSatisfy {
                switch $0 {
                case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "f"),
                    UInt8(ascii: "A")...UInt8(ascii: "F"):
                    true
                default: false
                }
            }
    }

    /// An address or a DNS name, without a port.
    static func isHost(_ text: String) -> Bool {
        if let address = IPAddress(text) { return address.zone.isEmpty }
        func isName(_ text: Substring.UTF8View) -> Bool {
            text.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false).allSatisfy { label in
                label.count <= 63 && label.first != UInt8(ascii: "-") && !label.isEmpty
                    && label.allSatisfy { isWord($0) || $0 == UInt8(ascii: "-") }
            }
        }
        guard text.utf8.count(where: { $0 != UInt8(ascii: ".") }) <= 255 else { return false }
        if isName(text[...].utf8) { return true }
        guard let last = text.utf8.last, last == UInt8(ascii: ".") || last == UInt8(ascii: "_") else { return false }
        return isName(text.dropLast().utf8)
    }

    /// The label of a rate limit: a tag, `collection:action`, `*:action`, or a path with or without a method before it.
    static func isRateLimitLabel(_ text: String) -> Bool {
        func isWords(_ text: Substring.UTF8View) -> Bool { !text.isEmpty && text.allSatisfy(isWord) }
        func isPath(_ text: Substring.UTF8View) -> Bool {
            text.first == UInt8(ascii: "/")
                && text.allSatisfy { isWord($0) || $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: "-") }
        }
        let bytes = text[...].utf8
        if isWords(bytes) || isPath(bytes) { return true }
        if let space = bytes.firstIndex(of: UInt8(ascii: " ")) {
            return isWords(bytes[..<space]) && isPath(bytes[bytes.index(after: space)...])
        }
        guard let colon = bytes.firstIndex(of: UInt8(ascii: ":")) else { return false }
        let name = bytes[..<colon]
        return (isWords(name) || name.elementsEqual([UInt8(ascii: "*")]))
            && isWords(bytes[bytes.index(after: colon)...])
    }

    /// An e-mail address without a display name.
    static func isEmail(_ text: String) -> Bool {
        let scalars = Array(text.unicodeScalars)
        guard let at = scalars.lastIndex(of: "@") else { return false }
        return isEmailName(scalars[..<at]) && isEmailDomain(scalars[(at + 1)...])
    }

    private static func isEmailName(_ name: ArraySlice<Unicode.Scalar>) -> Bool {
        if isQuotedEmailName(name) { return true }
        return name.split(separator: ".", omittingEmptySubsequences: false).allSatisfy { atom in
            !atom.isEmpty
                && atom.allSatisfy { isLetterOrDigit($0) || "!#$%&'*+-/=?^_`{|}~".unicodeScalars.contains($0) }
        }
    }

    /// Quoted names have a quote before each of their characters; that is how the pattern takes them.
    private static func isQuotedEmailName(_ name: ArraySlice<Unicode.Scalar>) -> Bool {
        var rests = [name]
        while let rest = rests.popLast() {
            if rest.drop(while: isBlank).elementsEqual(["\""]) { return true }
            guard rest.first == "\"" else { continue }
            let inner = rest.dropFirst().drop(while: isBlank)
            guard let character = inner.first else { continue }
            if isQuotable(character) { rests.append(inner.dropFirst()) }
            // At most one of the two goes on, as a quote must follow.
            if character == "(", let second = inner.dropFirst().first, second != "\n", second.value < 0x80 {
                rests.append(inner.dropFirst(2))
            }
        }
        return false
    }

    /// Dots may repeat inside the first part; that is how the pattern takes them.
    private static func isEmailDomain(_ domain: ArraySlice<Unicode.Scalar>) -> Bool {
        let domain = domain.last == "." ? domain.dropLast() : domain
        guard let dot = domain.lastIndex(of: ".") else { return false }
        let name = domain[..<dot]
        let top = domain[(dot + 1)...]
        func isInner(_ scalar: Unicode.Scalar) -> Bool {
            isLetterOrDigit(scalar) || scalar == "-" || scalar == "_" || scalar == "~"
        }
        guard let first = name.first, let last = name.last, isLetterOrDigit(first), isLetterOrDigit(last),
            let topFirst = top.first, let topLast = top.last, isLetter(topFirst), isLetter(topLast)
        else { return false }
        return name.allSatisfy { isInner($0) || $0 == "." } && top.allSatisfy(isInner)
    }

    // MARK: Classes

    private static func isWord(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"),
            UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "_"):
            true
        default: false
        }
    }

    private static func isLetter(_ scalar: Unicode.Scalar) -> Bool {
        ("a"..."z").contains(scalar) || ("A"..."Z").contains(scalar) || isBeyondASCII(scalar)
    }

    private static func isLetterOrDigit(_ scalar: Unicode.Scalar) -> Bool {
        isLetter(scalar) || ("0"..."9").contains(scalar)
    }

    private static func isBlank(_ scalar: Unicode.Scalar) -> Bool { scalar == " " || scalar == "\t" }

    private static func isQuotable(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0, 0x09, 0x0A, 0x0D, 0x20, 0x22, 0x5C: false
        case ..<0x80: true
        default: isBeyondASCII(scalar)
        }
    }

    private static func isBeyondASCII(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0xA0...0xD7FF, 0xF900...0xFDCF, 0xFDF0...0xFFEF: true
        default: false
        }
    }
}
