import WebServer

/// The conditional headers of a request.
struct Preconditions {
    enum Outcome { case send, notModified, failed }

    private let request: Request

    init(_ request: Request) { self.request = request }

    private func header(_ name: String) -> String? {
        guard let value = request.headers.first(name), !value.isEmpty else { return nil }
        return value
    }

    func check(tag: String, modified: Int) -> Outcome {
        if let match = header("If-Match") {
            if !Self.lists(match, tag, isWeak: false) { return .failed }
        } else if let since = header("If-Unmodified-Since").flatMap({ HTTPDate.seconds($0) }), modified > since {
            return .failed
        }
        let reads = request.method == .get || request.method == .head
        if let none = header("If-None-Match") {
            if Self.lists(none, tag, isWeak: true) { return reads ? .notModified : .failed }
        } else if reads, let since = header("If-Modified-Since").flatMap({ HTTPDate.seconds($0) }), modified <= since {
            return .notModified
        }
        return .send
    }

    /// Whether `If-Range`, if there is one, still names what there is.
    func allowsRange(tag: String, modified: Int) -> Bool {
        guard request.method == .get || request.method == .head else { return false }
        guard let value = header("If-Range") else { return true }
        if value.hasPrefix("\"") || value.hasPrefix("W/") { return value == tag }
        return HTTPDate.seconds(value) == modified
    }

    private static func lists(_ header: String, _ tag: String, isWeak: Bool) -> Bool {
        header.split(separator: ",").contains { item in
            var item = item.drop { $0 == " " || $0 == "\t" }
            while item.last == " " || item.last == "\t" { item = item.dropLast() }
            if item == "*" { return true }
            return item == tag || isWeak && item.hasPrefix("W/") && item.dropFirst(2) == tag
        }
    }
}
