/// Whether a text is a URL as PocketBase's validator sees it: scheme and user optional, a known scheme in lower case if
/// there is one, and what Go's `net/url` can parse.
struct WebAddress {
    private typealias Scalars = ArraySlice<Unicode.Scalar>

    private static let schemes = ["ftp", "tcp", "udp", "ws", "wss", "http", "https"]

    static func isValid(_ text: String) -> Bool {
        let scalars = Array(text.unicodeScalars)
        guard scalars.count < 2083, text.utf8.count > 3, scalars.first != ".", GoURL.parses(text) else { return false }
        if matchesWithoutScheme(scalars[...]) { return true }
        return schemes.contains { scheme in
            let prefix = (scheme + "://").unicodeScalars
            return scalars.starts(with: prefix) && matchesWithoutScheme(scalars[prefix.count...])
        }
    }

    /// The user may have an `@` of its own, so each is tried.
    private static func matchesWithoutScheme(_ rest: Scalars) -> Bool {
        if matchesHostAndPath(rest) { return true }
        for index in rest.indices {
            if isSpace(rest[index]) { return false }
            if rest[index] == "@", index > rest.startIndex, matchesHostAndPath(rest[(index + 1)...]) { return true }
        }
        return false
    }

    private static func matchesHostAndPath(_ rest: Scalars) -> Bool {
        var host = rest.prefix { $0 != "/" && $0 != "?" && $0 != "#" }
        if rest[host.endIndex...].contains(where: isSpace) { return false }
        if let colon = host.lastIndex(of: ":") {
            let port = host[(colon + 1)...]
            if (1...5).contains(port.count), port.allSatisfy({ ("0"..."9").contains($0) }) { host = host[..<colon] }
        }
        return isHost(host) || host.last == "." && isHost(host.dropLast())
    }

    private static func isHost(_ host: Scalars) -> Bool {
        if host.first == "[", host.last == "]" {
            let inside = text(host.dropFirst().dropLast())
            guard let address = IPAddress(inside), !address.isIPv4 else { return false }
            // An IPv4 address at the end only after left out zeros.
            return !inside.contains(".") || inside.contains("::")
        }
        return isIPv4(host) || isName(host)
    }

    /// Public addresses and the private ones, but no multicast.
    private static func isIPv4(_ host: Scalars) -> Bool {
        guard let address = IPAddress(text(host)), address.isIPv4 else { return false }
        let first = address.low >> 24
        return (1...223).contains(first) || (240...255).contains(first)
    }

    /// `(prefix)?(name)(.top)?` where the name follows the prefix without a dot between them, strange as it is.
    private static func isName(_ host: Scalars) -> Bool {
        let dots = host.indices.filter { host[$0] == "." }
        // The last part has at most one dot, so it starts after the last but one.
        let earliest = dots.count > 1 ? dots[dots.count - 2] + 1 : host.startIndex
        for split in earliest..<max(earliest, host.endIndex) {
            let prefix = host[..<split]
            // Most places are settled by the character before them.
            if let last = prefix.last, !isASCIIPlain(last), last != "." { continue }
            guard isTail(host[split...]) else { continue }
            if prefix.isEmpty || isJoined(prefix) || isSubdomain(prefix) { return true }
        }
        return false
    }

    private static func isTail(_ tail: Scalars) -> Bool {
        let parts = tail.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
        guard let name = parts.first, let first = name.first, let last = name.last, isPlain(first), isPlain(last),
            name.allSatisfy({ isPlain($0) || $0 == "-" })
        else { return false }
        var hyphens = 0
        for scalar in name {
            hyphens = scalar == "-" ? hyphens + 1 : 0
            if hyphens > 2 { return false }
        }
        guard parts.count == 2 else { return true }
        return !parts[1].isEmpty && parts[1].allSatisfy { isPlain($0) && !("0"..."9").contains($0) }
    }

    /// Letters and digits, joined by `-`, `_` and dots.
    private static func isJoined(_ prefix: Scalars) -> Bool {
        let parts = prefix.split(separator: ".", omittingEmptySubsequences: false)
        guard let head = parts.first, head.count > 1, let first = head.first, let last = head.last, isASCIIPlain(first),
            isASCIIPlain(last), head.allSatisfy({ isASCIIPlain($0) || $0 == "-" || $0 == "_" })
        else { return false }
        return parts.dropFirst().allSatisfy { part in
            part.split(separator: "-", omittingEmptySubsequences: false).allSatisfy {
                !$0.isEmpty && $0.allSatisfy(isASCIIPlain)
            }
        }
    }

    private static func isSubdomain(_ prefix: Scalars) -> Bool {
        if prefix.elementsEqual("www.".unicodeScalars) { return true }
        guard let dot = prefix.lastIndex(of: ".") else { return false }
        let left = prefix[..<dot]
        let right = prefix[(dot + 1)...]
        guard !right.isEmpty, right.allSatisfy(isASCIIPlain), left.count > 1, left.suffix(2).allSatisfy(isASCIIPlain)
        else { return false }
        var separators = 1
        for scalar in left {
            separators = isASCIIPlain(scalar) ? 0 : separators + 1
            if separators > 1 || separators == 1 && !"-_.".unicodeScalars.contains(scalar) { return false }
        }
        return true
    }

    private static func text(_ scalars: Scalars) -> String {
        var text = String.UnicodeScalarView()
        text.append(contentsOf: scalars)
        return String(text)
    }

    private static func isSpace(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar {
        case " ", "\t", "\n", "\r", "\u{0C}": true
        default: false
        }
    }

    private static func isASCIIPlain(_ scalar: Unicode.Scalar) -> Bool {
        ("a"..."z").contains(scalar) || ("A"..."Z").contains(scalar) || ("0"..."9").contains(scalar)
    }

    private static func isPlain(_ scalar: Unicode.Scalar) -> Bool {
        isASCIIPlain(scalar) || (0xA1...0xFFFF).contains(scalar.value)
    }
}

/// What Go's `net/url` refuses, as far as the rest of the check does not.
private enum GoURL {
    private typealias Bytes = ArraySlice<UInt8>

    static func parses(_ original: String) -> Bool {
        // A port without a scheme would be taken for a scheme.
        let hasSeparator = contains(Array(original.utf8), Array("://".utf8))
        let text = original.utf8.contains(UInt8(ascii: ":")) && !hasSeparator ? "http://" + original : original
        var bytes = Array(text.utf8)[...]
        if bytes.contains(where: { $0 < 0x20 || $0 == 0x7F }) { return false }
        if let hash = bytes.firstIndex(of: UInt8(ascii: "#")) {
            if !isEscapedWell(bytes[(hash + 1)...]) { return false }
            bytes = bytes[..<hash]
        }
        guard let hasScheme = takeScheme(&bytes) else { return false }
        if let query = bytes.firstIndex(of: UInt8(ascii: "?")) { bytes = bytes[..<query] }
        if bytes.first != UInt8(ascii: "/") {
            if hasScheme { return true }
            if bytes.prefix(while: { $0 != UInt8(ascii: "/") }).contains(UInt8(ascii: ":")) { return false }
        }
        var host: Bytes = []
        if bytes.starts(with: Array("//".utf8)), hasScheme || !bytes.starts(with: Array("///".utf8)) {
            let authority = bytes.dropFirst(2).prefix { $0 != UInt8(ascii: "/") }
            bytes = bytes[authority.endIndex...]
            guard let parsed = hostOf(authority) else { return false }
            host = parsed
        }
        if !isEscapedWell(bytes) || host.first == UInt8(ascii: ".") { return false }
        return !host.isEmpty || bytes.isEmpty || bytes.contains(UInt8(ascii: "."))
    }

    /// Takes a scheme and its colon off; nil when there is a colon with nothing before it.
    private static func takeScheme(_ bytes: inout Bytes) -> Bool? {
        for index in bytes.indices {
            switch bytes[index] {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"):
                continue
            case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "."):
                if index == bytes.startIndex { return false }
            case UInt8(ascii: ":"):
                if index == bytes.startIndex { return nil }
                bytes = bytes[(index + 1)...]
                return true
            default:
                return false
            }
        }
        return false
    }

    private static func hostOf(_ authority: Bytes) -> Bytes? {
        var host = authority
        if let at = authority.lastIndex(of: UInt8(ascii: "@")) {
            let user = authority[..<at]
            let allowed = Array("-._:~!$&'()*+,;=%@".utf8)
            guard user.allSatisfy({ isAlphanumeric($0) || allowed.contains($0) }), isEscapedWell(user) else {
                return nil
            }
            host = authority[(at + 1)...]
        }
        let port: Bytes
        if host.first == UInt8(ascii: "[") {
            guard let bracket = host.lastIndex(of: UInt8(ascii: "]")) else { return nil }
            port = host[(bracket + 1)...]
        } else if let colon = host.lastIndex(of: UInt8(ascii: ":")) {
            port = host[colon...]
        } else {
            port = []
        }
        guard port.isEmpty || port.first == UInt8(ascii: ":"),
            port.dropFirst().allSatisfy({ (0x30...0x39).contains($0) }), isEscapedWell(host)
        else { return nil }
        return host
    }

    private static func isEscapedWell(_ bytes: Bytes) -> Bool {
        func isHex(_ index: Int) -> Bool {
            guard index < bytes.endIndex else { return false }
            switch bytes[index] {
            case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "f"),
                UInt8(ascii: "A")...UInt8(ascii: "F"):
                return true
            default:
                return false
            }
        }
        return bytes.indices.allSatisfy {
            bytes[$0] != UInt8(ascii: "%") || isHex($0 + 1) && isHex($0 + 2)
        }
    }

    private static func isAlphanumeric(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"),
            UInt8(ascii: "A")...UInt8(ascii: "Z"):
            true
        default: false
        }
    }

    private static func contains(_ bytes: [UInt8], _ part: [UInt8]) -> Bool {
        bytes.count >= part.count && (0...(bytes.count - part.count)).contains { bytes[$0...].starts(with: part) }
    }
}
