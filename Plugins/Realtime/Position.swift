/// A place in what a client is told: `name-number` behind all events of a change in the log of that name, and
/// `name-number.topic` behind the event of one topic.
///
/// A change that concerns several topics of a client is several events, always in the order of `TopicOrder`: who was cut
/// between two of them gets the second one when it resumes, and the first one not again.
struct Position: Equatable {
    var name: String
    var number: Int64
    /// The topic up to which the change was told; nil for all of it.
    var topic: TopicOrder?

    init(name: String, number: Int64, topic: TopicOrder? = nil) {
        self.name = name
        self.number = number
        self.topic = topic
    }

    /// - Returns: nil for what is none, such as the client id that PocketBase sends as the id of its events.
    init?(_ text: String) {
        guard text.utf8.count <= 64, let dash = text.utf8.lastIndex(of: UInt8(ascii: "-")), dash > text.startIndex
        else {
            return nil
        }
        name = String(text[..<dash])
        let parts = text[text.utf8.index(after: dash)...].split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count <= 2, let number = Int64(parts[0]), number >= 0 else { return nil }
        self.number = number
        if parts.count == 2 {
            guard let topic = TopicOrder(String(parts[1])) else { return nil }
            self.topic = topic
        }
    }

    var text: String {
        guard let topic else { return "\(name)-\(number)" }
        return "\(name)-\(number).\(topic.text)"
    }

    /// Whether the event of a topic comes behind this place.
    func isBefore(_ change: Int64, _ topic: TopicOrder) -> Bool {
        if change != number { return number < change }
        return self.topic.map { $0 < topic } ?? false
    }
}

/// Where a topic stands among others that the same change concerns: a hash of its text (FNV-1a), and so the same in each
/// process and for each client.
struct TopicOrder: Equatable, Comparable, Sendable {
    private let hash: UInt64

    init(of topic: String) {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in topic.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        self.hash = hash
    }

    init?(_ text: String) {
        guard !text.isEmpty, text.utf8.count <= 16, text.utf8.first != UInt8(ascii: "+"),
            let hash = UInt64(text, radix: 16)
        else { return nil }
        self.hash = hash
    }

    var text: String { String(hash, radix: 16) }

    static func < (a: TopicOrder, b: TopicOrder) -> Bool { a.hash < b.hash }
}
