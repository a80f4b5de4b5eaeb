import Synchronization

/// How token addresses want to be told who asks, as they were found out.
final class TokenStyles: Sendable {
    private static let most = 1000
    private let inHeader = Mutex<[String: Bool]>([:])

    /// Whether the client's name and secret go into a header; nil when it is not known yet.
    func known(_ key: String) -> Bool? { inHeader.withLock { $0[key] } }

    func note(_ isInHeader: Bool, _ key: String) {
        inHeader.withLock { styles in
            if styles.count >= Self.most { styles.removeAll() }
            styles[key] = isInHeader
        }
    }
}

/// Base64 with padding (RFC 4648).
enum Base64 {
    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

    static func encode(_ bytes: [UInt8]) -> String {
        var out: [UInt8] = []
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let group = bytes[start..<min(start + 3, bytes.count)]
            let bits = group.reduce(UInt32(0)) { $0 << 8 | UInt32($1) } << UInt32(8 * (3 - group.count))
            for position in 0..<4 {
                out.append(
                    position <= group.count ? alphabet[Int(bits >> UInt32(18 - 6 * position) & 63)] : UInt8(ascii: "="))
            }
        }
        return String(decoding: out, as: UTF8.self)
    }
}
