/// The rules of the rate limits, ready to be asked: labels by hash, beginnings of paths in a list.
struct RateRules: Sendable {
    var isEnabled = false
    var rules: [Settings.RateLimitRule] = []
    var excluded = IPList([])
    /// The rules of a label in their order.
    private var byLabel: [String: [Int]] = [:]
    /// The rules whose label ends with `/`.
    private var prefixes: [Int] = []
    /// Whether any label has a method before its path.
    private var hasMethods = false

    init() {}

    init(_ settings: Settings.RateLimits) {
        isEnabled = settings.enabled && !settings.rules.isEmpty
        guard isEnabled else { return }
        rules = settings.rules
        excluded = IPList(settings.excludedIPs)
        for (index, rule) in rules.enumerated() {
            if rule.label.utf8.contains(UInt8(ascii: " ")) { hasMethods = true }
            byLabel[rule.label, default: []].append(index)
            if rule.label.utf8.last == UInt8(ascii: "/") { prefixes.append(index) }
        }
    }

    /// The first rule for a request: for each of its labels in turn the rule of exactly this label, then the first one
    /// that the label begins with.
    func match(tags: [String], path: String, method: String, isGuest: Bool) -> Int? {
        for tag in tags { if let index = match(tag, isGuest) { return index } }
        if hasMethods, let index = match("\(method) \(path)", isGuest) { return index }
        return match(path, isGuest)
    }

    /// A rule's seconds and requests.
    func amount(_ index: Int) -> (duration: Int64, requests: Int) {
        (Int64(rules[index].duration), rules[index].maxRequests)
    }

    private func match(_ label: String, _ isGuest: Bool) -> Int? {
        if let exact = byLabel[label]?.first(where: { applies($0, isGuest) }) { return exact }
        guard !prefixes.isEmpty else { return nil }
        // Utf8 views: comparing characters would cost much more.
        return prefixes.first { index in
            let prefix = rules[index].label.utf8
            let isInside =
                label.utf8.starts(with: prefix)
                || prefix.count == label.utf8.count + 1 && prefix.dropLast().elementsEqual(label.utf8)
            return isInside && applies(index, isGuest)
        }
    }

    private func applies(_ index: Int, _ isGuest: Bool) -> Bool {
        switch rules[index].audience {
        case "": true
        case "@guest": isGuest
        case "@auth": !isGuest
        default: false
        }
    }
}
