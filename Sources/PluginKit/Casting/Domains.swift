/// The lists of domains that email and url fields may have: at most one of `onlyDomains` and `exceptDomains`.
public struct DomainSettings: Sendable {
    public static let settings: [FieldSetting] = [.strings("exceptDomains"), .strings("onlyDomains")]

    private let only: [String]
    private let except: [String]

    public init(_ settings: FieldSettings) {
        only = settings.strings("onlyDomains")
        except = settings.strings("exceptDomains")
    }

    /// Whether there is anything to check.
    public var isEmpty: Bool { only.isEmpty && except.isEmpty }

    public func allow(_ domain: String) -> Bool {
        if !only.isEmpty, !Cast.contains(only, domain) { return false }
        return except.isEmpty || !Cast.contains(except, domain)
    }

    public static func validate(_ check: SettingsCheck) {
        let lists = ["onlyDomains", "exceptDomains"].map { (name: $0, domains: check.settings.strings($0)) }
        if lists.allSatisfy({ !$0.domains.isEmpty }) {
            for list in lists { check.fail(list.name, .notEmpty) }
            return
        }
        for list in lists {
            for (index, domain) in list.domains.enumerated() where !domain.isEmpty && !isDomain(domain) {
                check.fail("\(list.name).\(index)", Failure("validation_is_domain", "Must be a valid domain."))
            }
        }
    }

    /// Labels of letters, digits and inner hyphens, and a last one of letters.
    private static func isDomain(_ text: String) -> Bool {
        guard text.utf8.count <= 255 else { return false }
        let labels = text.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard labels.count > 1, let last = labels.last else { return false }
        func isLetter(_ byte: UInt8) -> Bool { (0x61...0x7A).contains(byte | 0x20) }
        func isWord(_ byte: UInt8) -> Bool { isLetter(byte) || (0x30...0x39).contains(byte) }
        let isTopLevel = last.count >= 1 && last.count <= 63 && last.allSatisfy(isLetter)
        return isTopLevel
            && labels.dropLast().allSatisfy { label in
                guard let first = label.first, let end = label.last, label.count <= 63 else { return false }
                return isWord(first) && isWord(end) && label.allSatisfy { isWord($0) || $0 == 0x2D }
            }
    }
}
