/// The members of a JSON object in their order.
///
/// Small objects, which nearly all are, are searched linearly; from 17 members on a hash index is kept beside them.
public struct JSONObject: Sendable, Sequence {
    public typealias Element = (key: String, value: JSON)

    private var members: [Member] = []
    private var index: [ByteKey: Int]?

    /// The largest number of members that is searched without an index.
    private static let linearLimit = 16

    /// An object without members.
    public init() {}

    /// An object of these members; a key given twice keeps its first place and its last value.
    public init(_ members: some Sequence<(String, JSON)>) {
        for (key, value) in members { self[key] = value }
    }

    /// The number of members.
    public var count: Int { members.count }

    /// Whether there are no members.
    public var isEmpty: Bool { members.isEmpty }

    /// The keys in order.
    public var keys: [String] { members.map(\.key) }

    /// The values in order.
    public var values: [JSON] { members.map(\.value) }

    /// Makes room for this many members in all.
    public mutating func reserveCapacity(_ count: Int) { members.reserveCapacity(count) }

    /// The value of a key. Setting one replaces the value in its place or appends it; setting nil removes the member.
    public subscript(key: String) -> JSON? {
        get {
            position(of: key).map { members[$0].value }
        }
        set {
            guard let newValue else {
                remove(key)
                return
            }
            if let position = position(of: key) {
                members[position].value = newValue
            } else {
                append(key, newValue)
            }
        }
    }

    /// Adds a member at the end.
    ///
    /// - Precondition: the key is not in the object yet. This is not checked: use the subscript if it may be.
    public mutating func append(_ key: String, _ value: JSON) {
        members.append(Member(key: key, value: value))
        if index != nil {
            index?[ByteKey(text: key)] = members.count - 1
        } else if members.count > Self.linearLimit {
            rebuildIndex()
        }
    }

    /// Removes a member and returns its value; nil if there was none.
    @discardableResult
    public mutating func remove(_ key: String) -> JSON? {
        guard let position = position(of: key) else { return nil }
        let value = members.remove(at: position).value
        if index != nil { rebuildIndex() }
        return value
    }

    /// Whether there is a member with this key.
    public func contains(key: String) -> Bool { position(of: key) != nil }

    /// The same members ordered by the bytes of their keys, as Go writes maps. Values are left as they are.
    public func sorted() -> JSONObject {
        var result = self
        // Swift orders strings by their normalised scalars; only for ASCII is that the order of their bytes.
        result.members.sort { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
        if result.index != nil { result.rebuildIndex() }
        return result
    }

    public func makeIterator() -> Iterator { Iterator(members: members) }

    /// Goes through the members in their order.
    public struct Iterator: IteratorProtocol {
        fileprivate let members: [Member]
        private var position = 0

        fileprivate init(members: [Member]) { self.members = members }

        public mutating func next() -> Element? {
            guard position < members.count else { return nil }
            defer { position += 1 }
            return (members[position].key, members[position].value)
        }
    }

    public var underestimatedCount: Int { members.count }

    /// Adds a member unless the key is taken; false if it is.
    @inline(__always)
    mutating func appendIfAbsent(_ key: String, _ value: JSON) -> Bool {
        if position(of: key) != nil { return false }
        append(key, value)
        return true
    }

    @inline(__always)
    private func position(of key: String) -> Int? {
        if let index { return index[ByteKey(text: key)] }
        for position in members.indices where sameBytes(members[position].key, key) { return position }
        return nil
    }

    private mutating func rebuildIndex() {
        guard members.count > Self.linearLimit else {
            index = nil
            return
        }
        var fresh = [ByteKey: Int](minimumCapacity: members.count * 2)
        for (position, member) in members.enumerated() { fresh[ByteKey(text: member.key)] = position }
        index = fresh
    }

    /// A struct, because the runtime takes an array of tuples apart much slower.
    fileprivate struct Member: Sendable {
        let key: String
        var value: JSON
    }

    /// A key that hashes and compares by its bytes.
    private struct ByteKey: Hashable, Sendable {
        let text: String

        static func == (a: ByteKey, b: ByteKey) -> Bool { sameBytes(a.text, b.text) }

        func hash(into hasher: inout Hasher) {
            let hashed: Void? = text.utf8.withContiguousStorageIfAvailable {
                hasher.combine(bytes: UnsafeRawBufferPointer($0))
            }
            if hashed == nil { for byte in text.utf8 { hasher.combine(byte) } }
        }
    }
}

extension JSONObject: Equatable {
    /// Whether two objects have the same members in the same order.
    public static func == (a: JSONObject, b: JSONObject) -> Bool {
        guard a.members.count == b.members.count else { return false }
        for position in a.members.indices {
            guard sameBytes(a.members[position].key, b.members[position].key),
                a.members[position].value == b.members[position].value
            else { return false }
        }
        return true
    }
}

extension JSONObject: ExpressibleByDictionaryLiteral {
    /// Keeps the order written; a key given twice keeps its first place and its last value.
    public init(dictionaryLiteral elements: (String, JSON)...) {
        self.init(elements)
    }
}
