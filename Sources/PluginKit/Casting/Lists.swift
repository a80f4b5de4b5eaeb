extension Cast {
    /// The different, non-empty texts of a value: a list's members, a text that is a JSON array or stands for itself,
    /// or any other scalar as text. A list with a member that is no scalar is empty.
    public static func uniqueStrings(_ value: BorrowedValue) -> [String] {
        if value.isText {
            let utf8 = value.utf8
            if utf8.isEmpty { return [] }
            let text = String(decoding: utf8, as: UTF8.self)
            // 0x5B is "[": only then may the text be a list.
            return utf8.contains(0x5B) ? unique(membersOrItself(text)) : [text]
        }
        if value.isJSON {
            // Nearly all documents are arrays of texts; they need no tree.
            let list = StringArrayReader.read(value.utf8)
            if list.isComplete { return unique(list.members) }
        }
        switch value.value {
        case .null: return []
        case .bool(let bool): return [bool ? "true" : "false"]
        case .number(let number): return [text(number)]
        case .json(let document): return uniqueStrings((try? JSONParser.parse(document)) ?? .null)
        case .text(let text): return [text]
        }
    }

    public static func uniqueStrings(_ value: JSON) -> [String] {
        switch value {
        case .null, .object: return []
        case .bool, .number: return [text(value)]
        case .string(let text): return text.isEmpty ? [] : unique(membersOrItself(text))
        case .array(let members):
            var texts: [String] = []
            for member in members {
                switch member {
                // One that cannot be a text spoils the list.
                case .array, .object: return []
                default: texts.append(text(member))
                }
            }
            return unique(texts)
        }
    }

    /// One or many texts as a field's value.
    public static func value(_ texts: [String], isMultiple: Bool) -> Value {
        isMultiple ? Value(list: texts) : .text(texts.last ?? "")
    }

    /// The normalised form of a field of one or many texts.
    public static func normalisedTexts(_ value: BorrowedValue, isMultiple: Bool) -> Normalised {
        if isMultiple {
            if value.isJSON {
                let list = StringArrayReader.read(value.utf8)
                if list.isComplete {
                    let different = unique(list.members)
                    let isSame = list.isPlain && different.count == list.members.count
                    return isSame ? .unchanged : .changed(Value(list: different))
                }
            }
        } else if value.isText, !value.utf8.contains(0x5B) {
            return .unchanged
        }
        return .changed(Cast.value(uniqueStrings(value), isMultiple: isMultiple))
    }

    /// A list after a modifier; nil for modifiers that lists do not have.
    public static func modified(
        _ modifier: FieldModifier, _ current: [String], _ operand: [String], isMultiple: Bool
    ) -> Value? {
        switch modifier {
        case .append: return value(unique(current + operand), isMultiple: isMultiple)
        case .prepend: return value(unique(operand + current), isMultiple: isMultiple)
        case .remove:
            let removed = TextSet(operand)
            return value(current.filter { !removed.contains($0) }, isMultiple: isMultiple)
        case .autogenerate: return nil
        }
    }

    /// Whether a list has a text, byte for byte: Swift's `==` would take canonically equal texts for the same.
    public static func contains(_ texts: [String], _ text: String) -> Bool {
        texts.contains { sameBytes($0, text) }
    }

    /// The members of a text that is a JSON array of texts; otherwise the text, after the members before what is wrong.
    private static func membersOrItself(_ text: String) -> [String] {
        var text = text
        let list = text.withUTF8 { StringArrayReader.read($0) }
        return list.isComplete ? list.members : list.members + [text]
    }

    /// The different ones that are not empty, in their order.
    static func unique(_ texts: [String]) -> [String] {
        if texts.count < 2 { return texts.first == "" ? [] : texts }
        var seen = TextSet()
        return texts.filter { !$0.isEmpty && seen.insert($0) }
    }

    fileprivate static func sameBytes(_ a: String, _ b: String) -> Bool {
        a == b && a.utf8.count == b.utf8.count && a.utf8.elementsEqual(b.utf8)
    }
}

/// Texts that are told apart byte by byte, quick to look up however many there are: what a client sends must not cost the
/// square of its length.
public struct TextSet: Sendable {
    /// Up to this many, comparing them one by one is quicker than hashing.
    private static let few = 16

    private var texts: [String] = []
    private var hashed: Set<[UInt8]> = []

    public init() {}

    public init(_ texts: [String]) {
        for text in texts { insert(text) }
    }

    public func contains(_ text: String) -> Bool {
        hashed.isEmpty ? Cast.contains(texts, text) : hashed.contains(Array(text.utf8))
    }

    /// - Returns: whether the text was not there yet.
    @discardableResult
    public mutating func insert(_ text: String) -> Bool {
        if !hashed.isEmpty { return hashed.insert(Array(text.utf8)).inserted }
        if Cast.contains(texts, text) { return false }
        texts.append(text)
        if texts.count > Self.few {
            hashed = Set(texts.map { Array($0.utf8) })
            texts = []
        }
        return true
    }
}

/// Reads a JSON array of strings and keeps what came before a fault: PocketBase's decoder works so, and its answers show
/// it.
private struct StringArrayReader {
    private(set) var members: [String] = []
    /// Whether there was nothing else in the text.
    private(set) var isComplete = false
    /// Whether the array is written as it would be written again: no space, null or escape.
    private(set) var isPlain = true
    private let bytes: UnsafeBufferPointer<UInt8>
    private var position = 0

    static func read(_ bytes: UnsafeBufferPointer<UInt8>) -> StringArrayReader {
        var reader = StringArrayReader(bytes)
        reader.isComplete = reader.readArray()
        return reader
    }

    private init(_ bytes: UnsafeBufferPointer<UInt8>) { self.bytes = bytes }

    private var peek: UInt8? { position < bytes.count ? bytes[position] : nil }

    private mutating func skipSpace() {
        while let byte = peek, byte == 0x20 || byte == 0x09 || byte == 0x0A || byte == 0x0D {
            isPlain = false
            position += 1
        }
    }

    private mutating func take(_ byte: UInt8) -> Bool {
        skipSpace()
        guard peek == byte else { return false }
        position += 1
        return true
    }

    private mutating func readArray() -> Bool {
        guard take(UInt8(ascii: "[")) else { return false }
        if !take(UInt8(ascii: "]")) {
            repeat {
                guard readMember() else { return false }
            } while take(UInt8(ascii: ","))
            guard take(UInt8(ascii: "]")) else { return false }
        }
        skipSpace()
        return position == bytes.count
    }

    private mutating func readMember() -> Bool {
        skipSpace()
        if peek == UInt8(ascii: "n"), bytes[position...].starts(with: "null".utf8) {
            isPlain = false
            position += 4
            return true
        }
        guard peek == UInt8(ascii: "\"") else { return false }
        let start = position
        position += 1
        var hasEscape = false
        while let byte = peek, byte != UInt8(ascii: "\"") {
            if byte < 0x20 { return false }
            if byte == UInt8(ascii: "\\") {
                hasEscape = true
                position += 1
            }
            position += 1
        }
        guard position < bytes.count else { return false }
        position += 1
        if hasEscape {
            isPlain = false
            let text = UnsafeBufferPointer(rebasing: bytes[start..<position])
            guard case .string(let member)? = try? JSONParser.parse(text) else { return false }
            members.append(member)
        } else {
            let text = UnsafeBufferPointer(rebasing: bytes[(start + 1)..<(position - 1)])
            members.append(String(decoding: text, as: UTF8.self))
        }
        return true
    }
}
