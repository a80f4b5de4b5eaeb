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
            // "[]", the most frequent list.
            if value.isJSON, value.utf8.count == 2, value.utf8[0] == 0x5B { return .unchanged }
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
        case .append: value(unique(current + operand), isMultiple: isMultiple)
        case .prepend: value(unique(operand + current), isMultiple: isMultiple)
        case .remove: value(current.filter { !contains(operand, $0) }, isMultiple: isMultiple)
        case .autogenerate: nil
        }
    }

    /// Whether a list has a text, byte for byte: Swift's `==` would take canonically equal texts for the same.
    public static func contains(_ texts: [String], _ text: String) -> Bool {
        texts.contains { sameBytes($0, text) }
    }

    /// The members of a text that is a JSON array of texts; otherwise the text, after the members before what is wrong.
    private static func membersOrItself(_ text: String) -> [String] {
        var text = text
        let (members, isComplete) = text.withUTF8 { StringArrayReader.read($0) }
        return isComplete ? members : members + [text]
    }

    /// The different ones that are not empty, in their order.
    static func unique(_ texts: [String]) -> [String] {
        if texts.count < 2 { return texts.first == "" ? [] : texts }
        var result: [String] = []
        result.reserveCapacity(texts.count)
        if texts.count <= 16 {
            for text in texts where !text.isEmpty && !contains(result, text) { result.append(text) }
            return result
        }
        var seen = Set<[UInt8]>(minimumCapacity: texts.count)
        for text in texts where !text.isEmpty && seen.insert(Array(text.utf8)).inserted { result.append(text) }
        return result
    }

    private static func sameBytes(_ a: String, _ b: String) -> Bool {
        a == b && a.utf8.count == b.utf8.count && a.utf8.elementsEqual(b.utf8)
    }
}

/// Reads a JSON array of strings and keeps what came before a fault: PocketBase's decoder works so, and its answers show
/// it.
private enum StringArrayReader {
    static func read(_ bytes: UnsafeBufferPointer<UInt8>) -> (members: [String], isComplete: Bool) {
        var members: [String] = []
        var position = 0
        func skipSpace() {
            while position < bytes.count, [0x20, 0x09, 0x0A, 0x0D].contains(bytes[position]) { position += 1 }
        }
        skipSpace()
        guard position < bytes.count, bytes[position] == 0x5B else { return ([], false) }
        position += 1
        skipSpace()
        if position < bytes.count, bytes[position] == 0x5D {
            position += 1
        } else {
            while true {
                skipSpace()
                if bytes[position...].starts(with: "null".utf8) {
                    position += 4
                } else {
                    guard let end = stringEnd(bytes, position),
                        case .string(let member)? = try? JSONParser.parse(
                            UnsafeBufferPointer(rebasing: bytes[position..<end]))
                    else { return (members, false) }
                    members.append(member)
                    position = end
                }
                skipSpace()
                guard position < bytes.count else { return (members, false) }
                if bytes[position] == 0x5D {
                    position += 1
                    break
                }
                guard bytes[position] == 0x2C else { return (members, false) }
                position += 1
            }
        }
        skipSpace()
        return (members, position == bytes.count)
    }

    /// The position after the string that begins at `start`.
    private static func stringEnd(_ bytes: UnsafeBufferPointer<UInt8>, _ start: Int) -> Int? {
        guard start < bytes.count, bytes[start] == 0x22 else { return nil }
        var position = start + 1
        while position < bytes.count {
            switch bytes[position] {
            case 0x22: return position + 1
            case 0x5C: position += 2
            default: position += 1
            }
        }
        return nil
    }
}
