/// What an `Accept-Encoding` header allows (RFC 9110 section 12.5.3).
package enum AcceptEncoding {
    /// Whether the client takes `coding` (in lower case). A missing header or a weight of 0 says no.
    package static func allows(_ coding: String, in header: String?) -> Bool {
        guard let header else { return false }
        var wildcard = false
        for part in header.split(separator: ",") {
            let item = HeaderParameters(String(part))
            guard item.value == coding || item.value == "*" else { continue }
            let isAllowed = weightIsPositive(item["q"] ?? "1")
            if item.value == coding { return isAllowed }
            wildcard = isAllowed
        }
        return wildcard
    }

    /// Weights are `0` to `1` with three digits: positive when any digit is not 0.
    private static func weightIsPositive(_ text: String) -> Bool {
        text.utf8.contains { $0 > UInt8(ascii: "0") && $0 <= UInt8(ascii: "9") }
    }
}
