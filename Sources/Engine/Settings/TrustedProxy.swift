extension Settings.TrustedProxy {
    /// The client's address: what the first of the trusted headers that has an address says, else the connection's.
    ///
    /// - Parameters:
    ///   - remoteIP: the connection's, as `IPAddress.ofPeer` makes it.
    ///   - lastValue: the last value of a header by its name in any case; nil if there is none.
    package func realIP(remoteIP: String, lastValue: (String) -> String?) -> String {
        for header in headers {
            guard let value = lastValue(header), !value.isEmpty else { continue }
            let candidates = Array(value.utf8).split(separator: UInt8(ascii: ","))
            let address =
                useLeftmostIP
                ? candidates.lazy.compactMap(Self.address).first
                : candidates.reversed().lazy.compactMap(Self.address).first
            if let address { return address.expanded }
        }
        return remoteIP
    }

    /// The address in a part of a header, with the spaces around it left aside.
    private static func address(_ part: ArraySlice<UInt8>) -> IPAddress? {
        func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0D).contains(byte) }
        let start = part.drop(while: isSpace)
        guard let last = start.lastIndex(where: { !isSpace($0) }) else { return nil }
        return IPAddress(utf8: start[...last])
    }
}
