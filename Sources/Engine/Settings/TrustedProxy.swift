extension Settings.TrustedProxy {
    /// The client's address: what the first of the trusted headers that has an address says, else the connection's.
    ///
    /// - Parameters:
    ///   - remoteIP: the connection's, as `IPAddress.ofPeer` makes it.
    ///   - lastValue: the last value of a header by its name in any case; nil if there is none.
    package func realIP(remoteIP: String, lastValue: (String) -> String?) -> String {
        for header in headers {
            guard let value = lastValue(header), !value.isEmpty else { continue }
            let candidates = value.split(separator: ",").map { Self.trim($0) }
            if useLeftmostIP {
                for text in candidates { if let address = IPAddress(text) { return address.expanded } }
            } else {
                for text in candidates.reversed() { if let address = IPAddress(text) { return address.expanded } }
            }
        }
        return remoteIP
    }

    private static func trim(_ text: Substring) -> Substring {
        var text = text
        while let first = text.unicodeScalars.first, first.properties.isWhitespace { text.unicodeScalars.removeFirst() }
        while let last = text.unicodeScalars.last, last.properties.isWhitespace { text.unicodeScalars.removeLast() }
        return text
    }
}
