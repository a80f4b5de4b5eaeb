import PluginKit

/// A field type in Swift with a say in queries: "version", a semantic version such as 1.10.2 (semver.org) without a build
/// part. A filter may leave out the last parts, and 1.10.0 comes after 1.9.0.
struct VersionField: QueriedFieldType {
    static let id = "version"
    static let settings: [FieldSetting] = [.bool("required")]
    static let keyUses: KeyUses = .order
    static let counts = true

    private let isRequired: Bool

    init(_ settings: FieldSettings) { isRequired = settings.bool("required") }

    var shape: FieldShape { .text() }

    func normalise(_ value: BorrowedValue) -> Normalised {
        guard let text = value.text else { return .changed(.text("")) }
        return text.hasPrefix("v") ? .changed(.text(String(text.dropFirst()))) : .unchanged
    }

    func validate(_ value: BorrowedValue, in context: FieldContext) throws {
        let text = value.text ?? ""
        if text.isEmpty {
            if isRequired { throw Failure.required }
        } else if Self.parts(text)?.numbers.count != 3 {
            throw Failure("validation_invalid_version", "Must be a version like 1.10.2.")
        }
    }

    func cast(_ value: BorrowedValue) throws -> Normalised {
        guard var text = value.text ?? value.number.map({ Int(exactly: $0).map(String.init) ?? String($0) }) else {
            return .unchanged
        }
        if text.hasPrefix("v") { text.removeFirst() }
        guard let parts = Self.parts(text) else {
            throw Failure("validation_invalid_version", "Must be a version like 1.10.2.")
        }
        let numbers = parts.numbers + Array(repeating: 0, count: 3 - parts.numbers.count)
        let release = numbers.map(String.init).joined(separator: ".")
        return .changed(.text(parts.early.map { "\(release)-\($0)" } ?? release))
    }

    /// Numbers of equal width; what comes before a release sorts before it.
    func key(of value: BorrowedValue) -> Value {
        guard let text = value.text, let parts = Self.parts(text) else { return .null }
        let numbers = parts.numbers.map { number in
            let digits = String(number)
            return String(repeating: "0", count: 10 - digits.utf8.count) + digits
        }
        return .text(numbers.joined(separator: ".") + (parts.early.map { "-" + $0 } ?? "~"))
    }

    func count(of value: BorrowedValue) -> Int { Self.parts(value.text ?? "")?.numbers.count ?? 0 }

    /// The one to three numbers and what stands behind the dash; nil when it is no version.
    private static func parts(_ text: String) -> (numbers: [UInt32], early: String?)? {
        let halves = text.split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
        let numbers = halves[0].split(separator: ".", omittingEmptySubsequences: false)
        let values = numbers.compactMap { $0.utf8.allSatisfy { (48...57).contains($0) } ? UInt32($0) : nil }
        guard values.count == numbers.count, values.count <= 3 else { return nil }
        return (values, halves.count == 2 ? String(halves[1]) : nil)
    }
}

final class VersionPlugin: Plugin {
    static let info = PluginInfo(id: "org.example.version", version: "1.0.0", name: "Version field", license: "MIT")
    func register(_ host: Host) throws { try host.queriedFieldType(VersionField.self) }
}

@c(roost_plugin_entry) public func entry() -> UnsafeRawPointer { PluginEntry.descriptor(for: VersionPlugin.self) }
