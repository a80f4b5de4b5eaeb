import PluginKit
import Synchronization

/// Names of people who come from Apple, which tells them once, to the page that it leads back to, and not when the code is
/// given for a token. Kept for a minute.
final class AppleNames: Sendable {
    private static let most = 10_000
    private static let seconds: Int64 = 60
    /// In bytes.
    private static let (longestName, longestCode, longestForm) = (150, 1000, 4096)

    private struct Entry {
        var name: String
        var end: Int64
    }

    private let entries = Mutex<[String: Entry]>([:])

    /// - Parameter user: the form's `user`: a JSON document with the name. Anybody may have written it.
    func keep(_ user: String, for code: String) {
        guard !user.isEmpty, user.utf8.count <= Self.longestForm, code.utf8.count <= Self.longestCode,
            let json = try? JSONParser.parse(user)
        else { return }
        let name = Self.name(json["name"])
        guard !name.isEmpty else { return }
        let now = DateTime.now().seconds
        entries.withLock { entries in
            if entries.count >= Self.most { entries = entries.filter { $0.value.end > now } }
            guard entries.count < Self.most else { return }
            entries[code] = Entry(name: name, end: now + Self.seconds)
        }
    }

    /// First and last name, as much of them as fits.
    static func name(_ name: JSON?) -> String {
        let whole = ["firstName", "lastName"].map { name?[$0]?.stringValue ?? "" }.joined(separator: " ")
        let end = whole.utf8.index(whole.startIndex, offsetBy: longestName, limitedBy: whole.endIndex) ?? whole.endIndex
        // A scalar that lies across the end stays out.
        return String(whole.unicodeScalars[..<end]).trimmingSpaces
    }

    /// The name that belongs to a code, once; empty when there is none.
    func take(_ code: String) -> String {
        guard let entry = entries.withLock({ $0.removeValue(forKey: code) }) else { return "" }
        return entry.end > DateTime.now().seconds ? entry.name : ""
    }
}
