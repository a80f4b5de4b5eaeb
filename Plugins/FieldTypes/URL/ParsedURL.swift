/// Host and path of a web address taken apart as Go's url.Parse does it, or nil for what it refuses.
struct ParsedURL {
    private(set) var host: [UInt8] = []
    private(set) var path: [UInt8] = []

    init?(_ text: [UInt8]) {
        if text.contains(where: { $0 < 0x20 || $0 == 0x7F }) { return nil }
        var rest = text[...]
        if let mark = rest.firstIndex(of: UInt8(ascii: "#")) {
            guard Self.unescaped(rest[(mark + 1)...]) != nil else { return nil }
            rest = rest[..<mark]
        }
        guard let scheme = Self.takeScheme(&rest) else { return nil }
        if let mark = rest.firstIndex(of: UInt8(ascii: "?")) { rest = rest[..<mark] }

        guard rest.first == UInt8(ascii: "/") else {
            // What follows a scheme without a slash is opaque.
            if !scheme.isEmpty { return }
            let segment = rest.prefix { $0 != UInt8(ascii: "/") }
            guard !segment.contains(UInt8(ascii: ":")), let path = Self.unescaped(rest) else { return nil }
            self.path = path
            return
        }
        if rest.starts(with: "//".utf8), !scheme.isEmpty || !rest.starts(with: "///".utf8) {
            let authority = rest.dropFirst(2).prefix { $0 != UInt8(ascii: "/") }
            guard let host = Self.host(authority) else { return nil }
            self.host = host
            rest = rest[authority.endIndex...]
        }
        guard let path = Self.unescaped(rest) else { return nil }
        self.path = path
    }

    /// The scheme, empty when there is none; nil for a colon without one.
    private static func takeScheme(_ rest: inout ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
        for (index, byte) in zip(rest.indices, rest) {
            switch byte {
            case 0x41...0x5A, 0x61...0x7A: continue
            case 0x30...0x39, 0x2B, 0x2D, 0x2E: if index == rest.startIndex { return [] }
            case 0x3A:
                if index == rest.startIndex { return nil }
                let scheme = rest[..<index]
                rest = rest[(index + 1)...]
                return scheme
            default: return []
            }
        }
        return []
    }

    private static func host(_ authority: ArraySlice<UInt8>) -> [UInt8]? {
        var host = authority
        if let mark = authority.lastIndex(of: UInt8(ascii: "@")) {
            let user = authority[..<mark]
            let marks = Array("-._:~!$&'()*+,;=%@".utf8)
            guard user.allSatisfy({ isWord($0) || marks.contains($0) }), unescaped(user) != nil else { return nil }
            host = authority[(mark + 1)...]
        }
        var port: ArraySlice<UInt8> = []
        if host.first == UInt8(ascii: "[") {
            guard let end = host.lastIndex(of: UInt8(ascii: "]")) else { return nil }
            port = host[(end + 1)...]
        } else if let colon = host.lastIndex(of: UInt8(ascii: ":")) {
            port = host[colon...]
        }
        if let first = port.first {
            guard first == UInt8(ascii: ":"), port.dropFirst().allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }) else {
                return nil
            }
        }
        let marks = Array("!$&'()*+,;=:[]<>\"-_.~%".utf8)
        guard host.allSatisfy({ $0 >= 0x80 || isWord($0) || marks.contains($0) }) else { return nil }
        return unescaped(host, isHost: true)
    }

    private static func isWord(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x61...0x7A).contains(byte | 0x20)
    }

    /// Resolves percent signs; nil when one is not followed by two hexadecimal digits. In a host only what is not ASCII
    /// and the percent sign itself may be written so.
    private static func unescaped(_ text: ArraySlice<UInt8>, isHost: Bool = false) -> [UInt8]? {
        guard text.contains(UInt8(ascii: "%")) else { return Array(text) }
        var result: [UInt8] = []
        var rest = text
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                result.append(byte)
                continue
            }
            guard let high = rest.popFirst().flatMap(digit), let low = rest.popFirst().flatMap(digit) else {
                return nil
            }
            let value = high << 4 | low
            if isHost, value < 0x80, value != UInt8(ascii: "%") { return nil }
            result.append(value)
        }
        return result
    }

    private static func digit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 0x30...0x39: byte - 0x30
        case 0x41...0x46, 0x61...0x66: (byte | 0x20) - 0x61 + 10
        default: nil
        }
    }
}
