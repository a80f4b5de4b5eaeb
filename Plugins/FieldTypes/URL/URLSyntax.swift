/// What a web address looks like, as the validator that PocketBase uses has it: it need not have a scheme, and a host
/// may be one label.
enum URLSyntax {
    /// The checks before the pattern: lengths, and that it can be taken apart.
    static func isPlausible(_ utf8: UnsafeBufferPointer<UInt8>) -> Bool {
        let scalars = utf8.reduce(0) { $1 & 0xC0 == 0x80 ? $0 : $0 + 1 }
        guard scalars < 2083, utf8.count > 3, utf8[0] != 0x2E else { return false }
        var text = Array(utf8)
        let hasSchemeMark = text.indices.contains { text[$0...].starts(with: "://".utf8) }
        // A colon before a port, without any scheme.
        if text.contains(0x3A), !hasSchemeMark { text = Array("http://".utf8) + text }
        guard let url = ParsedURL(text) else { return false }
        if url.host.first == 0x2E { return false }
        return !(url.host.isEmpty && !url.path.isEmpty && !url.path.contains(0x2E))
    }

    static let pattern: String = {
        let word = #"[a-zA-Z\x{00a1}-\x{ffff}0-9]"#
        let octet = #"(\d{1,2}|1\d\d|2[0-4]\d|25[0-5])"#
        let scheme = #"((ftp|tcp|udp|wss?|https?)://)"#
        let user = #"(\S+(:\S*)?@)"#
        let ipv4 =
            #"([1-9]\d?|1\d\d|2[01]\d|22[0-3]|24\d|25[0-5])(\."# + octet
            + #"){2}(?:\.([0-9]\d?|1\d\d|2[0-4]\d|25[0-5]))"#
        let name = "(\(word)(\(word.dropLast())-_]+)?\(word)([-.]\(word)+)*)"
        let subdomain = "((www\\.)|(\(word)+([-_.]?\(word))*\(word)\\.\(word)+))"
        let label = "((\(word)+-?-?)*\(word)+)"
        let top = #"(?:\.([a-zA-Z\x{00a1}-\x{ffff}]{1,}))?"#
        let host = "(\(ipv4)|(\\[\(ipv6)\\])|((\(name)|(\(subdomain)?))?\(label)\(top)))"
        return "^\(scheme)?\(user)?\(host)\\.?(:(\\d{1,5}))?(([/?#])[^\\s]*)?$"
    }()

    private static let ipv6: String = {
        let group = "[0-9a-fA-F]{1,4}"
        let octet = "(25[0-5]|(2[0-4]|1{0,1}[0-9]){0,1}[0-9])"
        let ipv4 = "(\(octet)\\.){3,3}\(octet)"
        let shortened = (1...6).map { "(\(group):){1,\(7 - $0)}(:\(group)){1,\($0)}" }
        let forms =
            ["(\(group):){7,7}\(group)", "(\(group):){1,7}:"] + shortened
            + [
                ":((:\(group)){1,7}|:)", "fe80:(:[0-9a-fA-F]{0,4}){0,4}%[0-9a-zA-Z]{1,}",
                "::(ffff(:0{1,4}){0,1}:){0,1}\(ipv4)", "(\(group):){1,4}:\(ipv4)",
            ]
        return "(" + forms.joined(separator: "|") + ")"
    }()
}
