import Glibc
import PluginKit
import Transfers

/// The picture of an account, for the field that the collection maps it to: its address, or the picture itself where the
/// field holds files.
enum Avatar {
    case address(String)
    case file(RecordUpload)

    /// In bytes.
    private static let longest = 32 << 20
    private static let handles = HandlePool()

    /// - Returns: nil when there is nothing to map, or the picture cannot be had, which is no reason to turn somebody away.
    init?(_ collection: JSON, _ account: Account, log: Log) {
        guard let field = collection["oauth2"]?["mappedFields"]?["avatarURL"]?.stringValue, !field.isEmpty,
            !account.avatarURL.isEmpty
        else { return nil }
        let type = collection["fields"]?.arrayValue?.first { $0["name"]?.stringValue == field }?["type"]?.stringValue
        guard type == "file" else {
            self = .address(account.avatarURL)
            return
        }
        do {
            let name = account.avatarURL.prefix { $0 != "?" && $0 != "#" }.split(separator: "/").last.map(String.init)
            self = .file(RecordUpload(field: field, name: name ?? "avatar", data: try Self.download(account.avatarURL)))
        } catch {
            log.warn("An OAuth2 account's picture cannot be had.", ["error": .string("\(error)")])
            return nil
        }
    }

    /// Fetches a picture from the public internet. Its address is the provider's word: it must not lead to machines of the
    /// operator's own network, so that names are looked up here and the connection goes to the address that was checked.
    private static func download(_ url: String) throws -> [UInt8] {
        var url = url
        for _ in 0..<5 {
            guard let place = PublicAddress(url) else { throw ProviderError("its address is not a public one") }
            var limits = HTTPLimits()
            limits.seconds = 10
            limits.body = longest
            limits.usesProxy = false
            limits.address = place.pinned
            let transfer = HTTPTransfer(.none, limits: limits)
            do {
                try handles.withHandle { try transfer.perform($0, "GET", url, [("User-Agent", "Roost")]) }
            } catch let error as HTTPError {
                throw ProviderError(error.reason)
            }
            switch transfer.head.status {
            case 200..<300: return transfer.body
            case 300..<400:
                guard let next = transfer.head.headers["location"] else { return transfer.body }
                url = next.hasPrefix("/") && !next.hasPrefix("//") ? place.origin + next : next
            default: throw ProviderError("it answers \(transfer.head.status)")
            }
        }
        throw ProviderError("its address leads from one to the next")
    }
}

/// An address on the public internet that a URL leads to.
struct PublicAddress {
    /// `https://host:port`.
    let origin: String
    /// For libcurl: `host:port:address`.
    let pinned: String

    /// - Returns: nil for what is no URL with a host, cannot be looked up, or is not public.
    init?(_ url: String) {
        let scheme = url.lowercased().hasPrefix("https://") ? "https" : "http"
        guard url.lowercased().hasPrefix(scheme + "://") else { return nil }
        let authority = url.utf8.dropFirst(scheme.utf8.count + 3).prefix { !"/?#\\".utf8.contains($0) }
        guard let text = String(Substring(authority).utf8), !text.isEmpty, !text.contains("@") else { return nil }
        var host = text
        var port = scheme == "https" ? "443" : "80"
        if let end = text.lastIndex(of: ":"), !text.hasSuffix("]") {
            host = String(text[..<end])
            port = String(text[text.index(after: end)...])
        }
        guard let number = UInt16(port), number > 0, !host.isEmpty else { return nil }
        let plain = host.hasPrefix("[") ? String(host.dropFirst().dropLast()) : host
        guard let address = Self.lookUp(plain) else { return nil }
        origin = "\(scheme)://\(text)"
        pinned = "\(host):\(port):\(address)"
    }

    /// The first address of a host, if all of them are public.
    private static func lookUp(_ host: String) -> String? {
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(host, nil, &hints, &list) == 0 else { return nil }
        defer { freeaddrinfo(list) }
        var first: String?
        var next = list
        while let entry = next?.pointee {
            guard let address = entry.ai_addr, isPublic(address) else { return nil }
            var text = [CChar](repeating: 0, count: Int(NI_MAXHOST))
            guard getnameinfo(address, entry.ai_addrlen, &text, socklen_t(text.count), nil, 0, NI_NUMERICHOST) == 0
            else {
                return nil
            }
            let name = String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
            first = first ?? (entry.ai_family == AF_INET6 ? "[\(name)]" : name)
            next = entry.ai_next
        }
        return first
    }

    private static func isPublic(_ address: UnsafePointer<sockaddr>) -> Bool {
        switch Int32(address.pointee.sa_family) {
        case AF_INET:
            let value = address.withMemoryRebound(to: sockaddr_in.self, capacity: 1) {
                $0.pointee.sin_addr.s_addr.bigEndian
            }
            return isPublic(value)
        case AF_INET6:
            let bytes = address.withMemoryRebound(to: sockaddr_in6.self, capacity: 1) { pointer in
                withUnsafeBytes(of: pointer.pointee.sin6_addr) { Array($0) }
            }
            return isPublic(bytes)
        default: return false
        }
    }

    /// IPv4, in host order. RFC 6890 and its registry.
    static func isPublic(_ value: UInt32) -> Bool {
        let blocks: [(UInt32, UInt32)] = [
            (0x0000_0000, 8), (0x0A00_0000, 8), (0x6440_0000, 10), (0x7F00_0000, 8), (0xA9FE_0000, 16),
            (0xAC10_0000, 12), (0xC000_0000, 24), (0xC000_0200, 24), (0xC0A8_0000, 16), (0xC612_0000, 15),
            (0xC633_6400, 24), (0xCB00_7100, 24), (0xE000_0000, 4), (0xF000_0000, 4),
        ]
        return !blocks.contains { base, length in value >> (32 - length) == base >> (32 - length) }
    }

    /// IPv6, 16 bytes.
    static func isPublic(_ bytes: [UInt8]) -> Bool {
        guard bytes.count == 16 else { return false }
        func inner(_ start: Int) -> Bool {
            isPublic(bytes[start..<start + 4].reduce(UInt32(0)) { $0 << 8 | UInt32($1) })
        }
        // Addresses that have one of IPv4 in them are as public as that: mapped, and translated (NAT64).
        if bytes[..<10].allSatisfy({ $0 == 0 }), bytes[10] == 0xFF, bytes[11] == 0xFF { return inner(12) }
        if bytes[..<12].elementsEqual([0x00, 0x64, 0xFF, 0x9B, 0, 0, 0, 0, 0, 0, 0, 0]) { return inner(12) }
        if bytes[0] == 0x20, bytes[1] == 0x02 { return inner(2) }
        // Of the rest only global unicast, 2000::/3, without documentation and Teredo.
        if bytes[0] & 0xE0 != 0x20 { return false }
        if bytes[0] == 0x20, bytes[1] == 0x01, bytes[2] == 0, bytes[3] == 0 { return false }
        return !(bytes[0] == 0x20 && bytes[1] == 0x01 && bytes[2] == 0x0D && bytes[3] == 0xB8)
    }
}
