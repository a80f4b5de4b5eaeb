import JSON

/// The common checks of settings, in PocketBase's codes and words. Each returns what is wrong, or nil.
enum ValueRules {
    typealias Check = () -> FieldFailure?

    /// The first thing that is wrong.
    static func first(_ checks: Check...) -> FieldFailure? {
        for check in checks {
            if let failure = check() { return failure }
        }
        return nil
    }

    static func required(_ text: String) -> FieldFailure? { text.isEmpty ? .required : nil }

    /// Bounds of a text's length in bytes; an empty text has none.
    static func length(_ text: String, _ min: Int, _ max: Int) -> FieldFailure? {
        let count = text.utf8.count
        guard count > 0, count < min || count > max else { return nil }
        if min == 0 {
            return FieldFailure(
                "validation_length_too_long", "The length must be no more than \(max).",
                params: ["max": .number(Double(max)), "min": 0]
            )
        }
        return FieldFailure(
            "validation_length_out_of_range", "The length must be between \(min) and \(max).",
            params: ["max": .number(Double(max)), "min": .number(Double(min))]
        )
    }

    static func word(_ text: String) -> FieldFailure? {
        text.isEmpty || text.isWord ? nil : FieldFailure("validation_match_invalid", "Must be in a valid format.")
    }

    /// `_via_` in a name would be read as a back-relation in filters.
    static func noVia(_ text: String) -> FieldFailure? {
        text.lowercased().contains("_via_")
            ? FieldFailure("validation_found_via", "The value cannot contain \"_via_\".") : nil
    }

    /// Bounds of a number; zero counts as not given.
    static func range(_ value: Double, _ min: Double, _ max: Double? = nil, isRequired: Bool = true) -> FieldFailure? {
        if value == 0 { return isRequired ? .required : nil }
        if value < min {
            return FieldFailure(
                "validation_min_greater_equal_than_required", "Must be no less than \(text(min)).",
                params: ["threshold": .number(min)]
            )
        }
        if let max, value > max {
            return FieldFailure(
                "validation_max_less_equal_than_required", "Must be no greater than \(text(max)).",
                params: ["threshold": .number(max)]
            )
        }
        return nil
    }

    private static func text(_ number: Double) -> String { JSON.number(number).serialized() }

    /// A URL, with or without a scheme; an empty text is none to check.
    static func url(_ text: String) -> FieldFailure? {
        text.isEmpty || isURL(text) ? nil : FieldFailure("validation_is_url", "Must be a valid URL.")
    }

    private static func isURL(_ text: String) -> Bool {
        guard text.utf8.count > 3, text.unicodeScalars.count < 2083,
            !text.unicodeScalars.contains(where: { $0.properties.isWhitespace || $0.value < 0x20 })
        else { return false }
        var rest = Substring(text)
        var hasScheme = false
        for scheme in ["ftp://", "tcp://", "udp://", "ws://", "wss://", "http://", "https://"]
        where rest.hasPrefix(scheme) {
            rest = rest.dropFirst(scheme.count)
            hasScheme = true
            break
        }
        let authority = rest.prefix { $0 != "/" && $0 != "?" && $0 != "#" }
        var host = authority
        if let at = host.lastIndex(of: "@") { host = host[host.index(after: at)...] }
        if host.hasPrefix("[") { return host.contains("]") && host.contains(":") }
        if let colon = host.lastIndex(of: ":") {
            let port = host[host.index(after: colon)...]
            guard let number = Int(port), (1...65535).contains(number) else { return false }
            host = host[..<colon]
            hasScheme = true
        }
        if !hasScheme, !host.contains(".") { return false }
        guard let first = host.first, first != ".", first != "-" else { return false }
        return host.unicodeScalars.allSatisfy { $0.isWordCharacter || $0 == "." || $0 == "-" || $0.value >= 0xA1 }
    }
}
