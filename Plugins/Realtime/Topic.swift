import PluginKit

/// A topic as clients write it: `posts/*`, `posts/RECORD`, anything else, each with `?options=` behind it.
struct TopicName: Sendable {
    /// All of it, which is also the name of the events.
    let full: String
    /// What stands before the question mark.
    let base: String
    let query: JSONObject
    let headers: JSONObject
    let order: TopicOrder

    init(_ full: String) {
        self.full = full
        order = TopicOrder(of: full)
        let mark = full.utf8.firstIndex(of: UInt8(ascii: "?"))
        base = mark.map { String(full[..<$0]) } ?? full
        var query = JSONObject()
        var headers = JSONObject()
        if let mark, let options = Self.options(full[full.utf8.index(after: mark)...]) {
            for (name, value) in options["query"]?.objectValue ?? JSONObject() {
                query[name] = .string(Self.text(value))
            }
            for (name, value) in options["headers"]?.objectValue ?? JSONObject() {
                headers[Self.snakeCase(name)] = .string(Self.text(value))
            }
        }
        self.query = query
        self.headers = headers
    }

    /// The collection and the record that the topic may be about; "*" for all records.
    var target: (collection: String, record: String)? {
        let parts = base.split(separator: "/", omittingEmptySubsequences: false)
        switch parts.count {
        // As older clients write it.
        case 1: return base.isEmpty ? nil : (base, "*")
        case 2: return (String(parts[0]), String(parts[1]))
        default: return nil
        }
    }

    /// The JSON of the parameter `options`.
    private static func options(_ query: Substring) -> JSON? {
        for pair in query.prefix(while: { $0 != "#" }).utf8.split(separator: UInt8(ascii: "&")) {
            guard !pair.contains(UInt8(ascii: ";")) else { continue }
            let end = pair.firstIndex(of: UInt8(ascii: "=")) ?? pair.endIndex
            guard decode(pair[..<end]) == Array("options".utf8) else { continue }
            guard end < pair.endIndex, let value = decode(pair[pair.index(after: end)...]) else { continue }
            return try? JSONParser.parse(value)
        }
        return nil
    }

    /// Percent-decoded; nil for what is not properly encoded.
    private static func decode(_ text: Substring.UTF8View) -> [UInt8]? {
        var bytes: [UInt8] = []
        var rest = text[...]
        while let byte = rest.popFirst() {
            switch byte {
            case UInt8(ascii: "+"): bytes.append(0x20)
            case UInt8(ascii: "%"):
                guard let high = rest.popFirst().flatMap(hex), let low = rest.popFirst().flatMap(hex) else {
                    return nil
                }
                bytes.append(high << 4 | low)
            default: bytes.append(byte)
            }
        }
        return bytes
    }

    private static func hex(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 0x30...0x39: byte - 0x30
        case 0x41...0x46: byte - 0x41 + 10
        case 0x61...0x66: byte - 0x61 + 10
        default: nil
        }
    }

    private static func text(_ value: JSON) -> String {
        switch value {
        case .string(let text): text
        case .number, .bool: value.serialized()
        case .null, .array, .object: ""
        }
    }

    /// `X-Token` and `xToken` become `x_token`, as rules read headers.
    private static func snakeCase(_ name: String) -> String {
        var result = ""
        var isStart = true
        var wasUpper = false
        for character in name.unicodeScalars {
            let isUpper = (65...90).contains(character.value)
            let isWord = isUpper || (97...122).contains(character.value) || (48...57).contains(character.value)
            guard isWord else {
                isStart = true
                continue
            }
            if !result.isEmpty, isStart || isUpper && !wasUpper { result += "_" }
            result.unicodeScalars.append(character)
            isStart = false
            wasUpper = isUpper
        }
        return result.lowercased()
    }
}

/// All that subscribed to the same text. Hub's thread.
final class Topic {
    let name: TopicName
    /// What it is about, when there is such a collection: its id, and which rule decides.
    var collection: String?
    var rule = ChangeRule.list
    var groups: [String: Group] = [:]

    init(_ name: TopicName) { self.name = name }
}

/// Members of a topic who are shown the same.
final class Group {
    let key: String
    let viewer: SharedViewer?
    var plain = Members()
    var positions = Members()
    var sockets = Members()

    init(key: String, viewer: SharedViewer?) {
        self.key = key
        self.viewer = viewer
    }

    var isEmpty: Bool { plain.isEmpty && positions.isEmpty && sockets.isEmpty }

    func add(_ member: Membership) {
        switch member.client.manner {
        case .plain: plain.add(member)
        case .positions: positions.add(member)
        case .socket: sockets.add(member)
        }
    }

    func remove(_ member: Membership) {
        switch member.client.manner {
        case .plain: plain.remove(member)
        case .positions: positions.remove(member)
        case .socket: sockets.remove(member)
        }
    }
}

/// Members with their streams beside them, ready to be written to.
struct Members {
    private(set) var streams: [Stream] = []
    private(set) var members: [Membership] = []

    var isEmpty: Bool { streams.isEmpty }

    mutating func add(_ member: Membership) {
        guard let stream = member.client.stream else { return }
        member.index = members.count
        members.append(member)
        streams.append(stream)
    }

    mutating func remove(_ member: Membership) {
        let index = member.index
        guard index >= 0, index < members.count, members[index] === member else { return }
        members.swapAt(index, members.count - 1)
        streams.swapAt(index, streams.count - 1)
        members.removeLast()
        streams.removeLast()
        if index < members.count { members[index].index = index }
        member.index = -1
    }

    /// The streams of those who have not been sent a position yet.
    func streams(below position: Int64) -> [Stream] {
        var found: [Stream] = []
        for (index, member) in members.enumerated() where member.client.floor < position {
            found.append(streams[index])
        }
        return found
    }
}

/// One client's subscription to one topic.
final class Membership {
    unowned let client: Client
    let topic: Topic
    /// Nil while it is on its way from one to another.
    var group: Group?
    var index = -1

    init(client: Client, topic: Topic) {
        self.client = client
        self.topic = topic
    }
}

/// A viewer of the host's, for all memberships with the same identity and options.
final class SharedViewer {
    let key: String
    let viewer: Viewer
    var uses = 0

    init(key: String, viewer: Viewer) {
        self.key = key
        self.viewer = viewer
    }
}
