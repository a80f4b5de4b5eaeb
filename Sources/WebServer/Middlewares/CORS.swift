/// Cross-origin resource sharing as PocketBase answers it by default: no credentials, no cache time, and every
/// `OPTIONS` request is a preflight that ends here with 204.
///
/// - Parameter origins: what may ask: `*` for everyone, an origin, a pattern with `*` and `?`, or a subdomain wildcard
///   such as `https://*.example.com`.
package func corsMiddleware(origins: [String] = ["*"]) -> Middleware {
    let origins = origins.isEmpty ? ["*"] : origins
    return { request, responder, next in
        request.addResponseHeader("Vary", "Origin")
        let isPreflight = request.method == .options
        let origin = request.headers.first("Origin") ?? ""
        guard !origin.isEmpty, let allowed = OriginPattern.allowedOrigin(origin, by: origins) else {
            if isPreflight {
                responder.send(Response(status: 204))
            } else {
                next(request, responder)
            }
            return
        }
        request.setResponseHeader("Access-Control-Allow-Origin", allowed)
        guard isPreflight else { return next(request, responder) }
        request.addResponseHeader("Vary", "Access-Control-Request-Method")
        request.addResponseHeader("Vary", "Access-Control-Request-Headers")
        request.setResponseHeader("Access-Control-Allow-Methods", "GET,HEAD,PUT,PATCH,POST,DELETE")
        if let headers = request.headers.first("Access-Control-Request-Headers"), !headers.isEmpty {
            request.setResponseHeader("Access-Control-Allow-Headers", headers)
        }
        responder.send(Response(status: 204))
    }
}

/// Which origins an allow-list lets in.
enum OriginPattern {
    /// The longest scheme (5), `://` (3) and domain name (253) together: longer ones are not matched with patterns.
    private static let maxOrigin = 261

    /// The value for `Access-Control-Allow-Origin`, or nil.
    static func allowedOrigin(_ origin: String, by patterns: [String]) -> String? {
        for pattern in patterns {
            if pattern == "*" || pattern == origin { return pattern }
        }
        guard origin.utf8.count <= maxOrigin, let scheme = schemeEnd(origin[...]) else { return nil }
        let isMatch = patterns.contains {
            matchesSubdomain(origin, scheme, $0) || matchesGlob(Array(origin.utf8), Array($0.utf8))
        }
        return isMatch ? origin : nil
    }

    /// `*` for one or more labels at the front of the host, labels compared from the right.
    private static func matchesSubdomain(_ origin: String, _ schemeEnd: String.Index, _ pattern: String) -> Bool {
        guard let patternScheme = self.schemeEnd(pattern[...]),
            origin[..<schemeEnd] == pattern[..<patternScheme]
        else { return false }
        let labels = origin[schemeEnd...].dropFirst(3).split(separator: ".", omittingEmptySubsequences: false)
        let wanted = pattern[patternScheme...].dropFirst(3).split(separator: ".", omittingEmptySubsequences: false)
        for (index, label) in labels.reversed().enumerated() {
            guard index < wanted.count else { return false }
            let part = wanted[wanted.count - 1 - index]
            if part == "*" { return true }
            if part != label { return false }
        }
        return false
    }

    /// The position of `://`.
    private static func schemeEnd(_ text: Substring) -> String.Index? {
        guard let colon = text.firstIndex(of: ":"), text[colon...].hasPrefix("://") else { return nil }
        return colon
    }

    /// Linear in both lengths but for the last star, so a hostile origin cannot make it slow.
    static func matchesGlob(_ text: [UInt8], _ pattern: [UInt8]) -> Bool {
        var position = 0
        var wanted = 0
        var star: (pattern: Int, text: Int)?
        while position < text.count {
            if wanted < pattern.count, pattern[wanted] == UInt8(ascii: "*") {
                star = (wanted, position)
                wanted += 1
            } else if wanted < pattern.count,
                pattern[wanted] == UInt8(ascii: "?") || pattern[wanted] == text[position]
            {
                wanted += 1
                position += 1
            } else if let last = star {
                star = (last.pattern, last.text + 1)
                wanted = last.pattern + 1
                position = last.text + 1
            } else {
                return false
            }
        }
        return pattern[wanted...].allSatisfy { $0 == UInt8(ascii: "*") }
    }
}
