/// A subnet in CIDR notation.
package struct IPPrefix: Sendable, Hashable {
    package let address: IPAddress
    package let bits: Int

    /// - Parameter text: such as `10.0.0.0/8`; nil for anything else. Bits below the mask are left aside.
    package init?(_ text: String) {
        guard let slash = text.lastIndex(of: "/"), let address = IPAddress(text[..<slash]), address.zone.isEmpty
        else { return nil }
        let digits = text[text.index(after: slash)...]
        guard digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }), digits.utf8.count == 1 || digits.first != "0",
            let bits = Int(digits), bits <= (address.isIPv4 ? 32 : 128)
        else { return nil }
        self.address = address
        self.bits = bits
    }

    /// Whether the subnet holds the address; never across IPv4 and IPv6, never one with a zone.
    package func contains(_ other: IPAddress) -> Bool {
        guard other.isIPv4 == address.isIPv4, other.zone.isEmpty else { return false }
        let bits = address.isIPv4 ? bits + 96 : bits
        // Swift's shifts by 64 and more give 0, as wanted.
        let highMask = bits == 0 ? 0 : UInt64.max << UInt64(max(0, 64 - bits))
        let lowMask = bits <= 64 ? 0 : UInt64.max << UInt64(128 - bits)
        return (address.high ^ other.high) & highMask == 0 && (address.low ^ other.low) & lowMask == 0
    }
}

/// Addresses and subnets, ready to be asked.
package struct IPList: Sendable, Equatable {
    private var addresses: Set<IPAddress> = []
    private var prefixes: [IPPrefix] = []
    /// Whether nothing was given; a list of nothing but nonsense is not empty and holds no address.
    package let isEmpty: Bool

    /// - Parameter texts: addresses and subnets; what is neither is left out.
    package init(_ texts: [String]) {
        isEmpty = texts.isEmpty
        for text in texts {
            if let prefix = IPPrefix(text) {
                prefixes.append(prefix)
            } else if let address = IPAddress(text) {
                addresses.insert(address)
            }
        }
    }

    /// Whether the list has the address or a subnet that holds it; false for what is no address.
    package func contains(_ text: String) -> Bool {
        guard !isEmpty, let address = IPAddress(text) else { return false }
        return addresses.contains(address) || prefixes.contains { $0.contains(address) }
    }

    /// Whether a text may stand in a list.
    package static func isEntry(_ text: String) -> Bool { IPPrefix(text) != nil || IPAddress(text) != nil }
}
