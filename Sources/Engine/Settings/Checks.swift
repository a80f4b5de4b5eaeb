import JSON

/// Gathers what is wrong with the members of one object: the first failure of each. As in PocketBase, only `required`
/// minds what is empty.
struct Checks {
    private(set) var failures: [String: FailureTree] = [:]

    /// The largest integer that every JSON reader knows exactly.
    static let largestSafeInteger = 9_007_199_254_740_991

    /// A format of a text with its failure.
    struct Format {
        let failure: FieldFailure
        let matches: @Sendable (String) -> Bool

        static let hexColor = Format(
            failure: FieldFailure("validation_is_hex_color", "must be a valid hexadecimal color code"),
            matches: TextFormats.isHexColor)
        static let url = Format(
            failure: FieldFailure("validation_is_url", "must be a valid URL"), matches: WebAddress.isValid)
        static let email = Format(
            failure: FieldFailure("validation_is_email", "must be a valid email address"), matches: TextFormats.isEmail)
        static let host = Format(
            failure: FieldFailure("validation_is_host", "must be a valid IP address or DNS name"),
            matches: TextFormats.isHost)
        static let rateLimitLabel = Format(
            failure: FieldFailure("validation_match_invalid", "must be in a valid format"),
            matches: TextFormats.isRateLimitLabel)
    }

    mutating func fail(_ key: String, tree: FailureTree) {
        if failures[key] == nil { failures[key] = tree }
    }

    mutating func fail(_ key: String, _ failure: FieldFailure) { fail(key, tree: .failure(failure)) }

    mutating func nested(_ key: String, _ checks: Checks) {
        if !checks.failures.isEmpty { fail(key, tree: .nested(checks.failures)) }
    }

    mutating func each<Element>(_ key: String, _ elements: [Element], _ check: (Element) -> FailureTree?) {
        var found: [String: FailureTree] = [:]
        for (index, element) in elements.enumerated() {
            if let failure = check(element) { found[String(index)] = failure }
        }
        if !found.isEmpty { fail(key, tree: .nested(found)) }
    }

    mutating func required(_ key: String, _ value: String) {
        if value.isEmpty { fail(key, .required) }
    }

    mutating func required(_ key: String, _ value: Int) {
        if value == 0 { fail(key, .required) }
    }

    /// The length counts bytes.
    mutating func length(_ key: String, _ value: String, _ range: ClosedRange<Int>) {
        guard !value.isEmpty, !range.contains(value.utf8.count) else { return }
        let params: JSONObject = [
            "max": .number(Double(range.upperBound)), "min": .number(Double(range.lowerBound)),
        ]
        fail(
            key,
            range.count == 1
                ? FieldFailure(
                    "validation_length_invalid", "the length must be exactly \(range.lowerBound)", params: params)
                : FieldFailure(
                    "validation_length_out_of_range",
                    "the length must be between \(range.lowerBound) and \(range.upperBound)", params: params))
    }

    mutating func format(_ key: String, _ value: String, _ format: Format) {
        if !value.isEmpty, !format.matches(value) { fail(key, format.failure) }
    }

    mutating func number(_ key: String, _ value: Int, min: Int? = nil, max: Int? = nil) {
        guard value != 0 else { return }
        if let min, value < min {
            fail(
                key,
                FieldFailure(
                    "validation_min_greater_equal_than_required", "must be no less than \(min)",
                    params: ["threshold": .number(Double(min))]))
        }
        if let max, value > max {
            fail(
                key,
                FieldFailure(
                    "validation_max_less_equal_than_required", "must be no greater than \(max)",
                    params: ["threshold": .number(Double(max))]))
        }
    }

    mutating func choice(_ key: String, _ value: String, _ choices: [String]) {
        if !value.isEmpty, !choices.contains(value) {
            fail(key, FieldFailure("validation_in_invalid", "must be a valid value"))
        }
    }
}
