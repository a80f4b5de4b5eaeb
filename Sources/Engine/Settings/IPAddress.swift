/// An IPv4 or IPv6 address, read and written as Go's `net/netip` does: strictly, without leading zeros in IPv4, an
/// IPv4 address inside IPv6 kept apart from the plain one.
package struct IPAddress: Sendable, Hashable {
    /// The 128 bits; an IPv4 address fills the last 32.
    package let high: UInt64
    package let low: UInt64
    package let isIPv4: Bool
    /// What follows `%` in an IPv6 address; empty for none.
    package let zone: String

    /// - Parameter text: an address such as `127.0.0.1`, `::1` or `fe80::1%eth0`; nil for anything else.
    package init?(_ text: some StringProtocol) { self.init(utf8: Array(text.utf8)[...]) }

    /// - Parameter bytes: the text of an address.
    init?(utf8 bytes: ArraySlice<UInt8>) {
        switch bytes.first(where: { $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: ":") || $0 == UInt8(ascii: "%") }) {
        case UInt8(ascii: "."):
            guard let value = Self.ipv4(bytes) else { return nil }
            self.init(high: 0, low: UInt64(value), isIPv4: true, zone: "")
        case UInt8(ascii: ":"):
            var address = bytes
            var zone = ""
            if let percent = bytes.firstIndex(of: UInt8(ascii: "%")) {
                address = bytes[..<percent]
                zone = String(decoding: bytes[(percent + 1)...], as: UTF8.self)
                if zone.isEmpty { return nil }
            }
            guard let (high, low) = Self.ipv6(address) else { return nil }
            self.init(high: high, low: low, isIPv4: false, zone: zone)
        default:
            return nil
        }
    }

    private init(high: UInt64, low: UInt64, isIPv4: Bool, zone: String) {
        self.high = high
        self.low = low
        self.isIPv4 = isIPv4
        self.zone = zone
    }

    /// The plain IPv4 address for one that is mapped into IPv6 (`::ffff:1.2.3.4`), else the same.
    package var unmapped: IPAddress {
        guard !isIPv4, high == 0, low >> 32 == 0xFFFF else { return self }
        return IPAddress(high: 0, low: low & 0xFFFF_FFFF, isIPv4: true, zone: "")
    }

    /// The address as PocketBase shows it: IPv6 with all its zeros.
    package var expanded: String {
        if isIPv4 { return expandedIPv4 }
        let digits = Array("0123456789abcdef".utf8)
        let text = String(unsafeUninitializedCapacity: 39) { buffer in
            var position = 0
            for nibble in 0..<32 {
                if nibble > 0, nibble % 4 == 0 {
                    buffer[position] = UInt8(ascii: ":")
                    position += 1
                }
                let word = nibble < 16 ? high : low
                buffer[position] = digits[Int(word >> UInt64((15 - nibble % 16) * 4) & 0xF)]
                position += 1
            }
            return position
        }
        return zone.isEmpty ? text : "\(text)%\(zone)"
    }

    private var expandedIPv4: String {
        String(unsafeUninitializedCapacity: 15) { buffer in
            var position = 0
            func put(_ byte: UInt8) {
                buffer[position] = byte
                position += 1
            }
            for shift: UInt64 in [24, 16, 8, 0] {
                let part = UInt8(truncatingIfNeeded: low >> shift)
                if part >= 100 { put(0x30 + part / 100) }
                if part >= 10 { put(0x30 + part / 10 % 10) }
                put(0x30 + part % 10)
                if shift > 0 { put(UInt8(ascii: ".")) }
            }
            return position
        }
    }

    /// How PocketBase shows the other end of a connection: an IPv4 client of a socket for both kinds is an IPv4 client.
    /// - Parameter text: the address without its port.
    package static func ofPeer(_ text: String) -> String {
        IPAddress(text)?.unmapped.expanded ?? "invalid IP"
    }

    // MARK: Parsing

    private static func ipv4(_ bytes: ArraySlice<UInt8>) -> UInt32? {
        var value: UInt32 = 0
        var parts = 0
        var digits = 0
        var part: UInt32 = 0
        for byte in bytes {
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"):
                if digits > 0, part == 0 { return nil }
                part = part * 10 + UInt32(byte - 0x30)
                digits += 1
                if part > 255 { return nil }
            case UInt8(ascii: "."):
                if digits == 0 || parts == 3 { return nil }
                value = value << 8 | part
                parts += 1
                (digits, part) = (0, 0)
            default:
                return nil
            }
        }
        return digits > 0 && parts == 3 ? value << 8 | part : nil
    }

    private static func ipv6(_ bytes: ArraySlice<UInt8>) -> (high: UInt64, low: UInt64)? {
        var rest = bytes
        var groups: [UInt16] = []
        var ellipsis: Int?
        func startsWithColons(_ bytes: ArraySlice<UInt8>) -> Bool {
            bytes.prefix(2).elementsEqual([UInt8(ascii: ":"), UInt8(ascii: ":")])
        }
        if startsWithColons(rest) {
            ellipsis = 0
            rest = rest.dropFirst(2)
        }
        while groups.count < 8, !rest.isEmpty {
            let field = rest.prefix { hexValue($0) != nil }
            if field.isEmpty || field.count > 4 { return nil }
            let after = rest[field.endIndex...]
            if after.first == UInt8(ascii: ".") {
                guard groups.count <= 6, ellipsis != nil || groups.count == 6, let last = ipv4(rest) else { return nil }
                groups.append(UInt16(truncatingIfNeeded: last >> 16))
                groups.append(UInt16(truncatingIfNeeded: last))
                rest = []
                break
            }
            groups.append(field.reduce(0) { $0 << 4 | UInt16(hexValue($1) ?? 0) })
            rest = after
            if rest.isEmpty { break }
            guard rest.first == UInt8(ascii: ":"), rest.count > 1 else { return nil }
            if startsWithColons(rest) {
                if ellipsis != nil { return nil }
                ellipsis = groups.count
                rest = rest.dropFirst(2)
            } else {
                rest = rest.dropFirst()
            }
        }
        guard rest.isEmpty else { return nil }
        if let ellipsis {
            if groups.count == 8 { return nil }
            groups.insert(contentsOf: repeatElement(0, count: 8 - groups.count), at: ellipsis)
        }
        guard groups.count == 8 else { return nil }
        return (
            groups[..<4].reduce(0) { $0 << 16 | UInt64($1) },
            groups[4...].reduce(0) { $0 << 16 | UInt64($1) }
        )
    }

    private static func hexValue(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - 0x30
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - 0x61 + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - 0x41 + 10
        default: nil
        }
    }
}
