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
        case .remove: value(current.filter { !operand.contains($0) }, isMultiple: isMultiple)
        case .autogenerate: nil
        }
    }

    /// The members of a text that is a JSON array of texts; otherwise the text, after those members that were texts.
    private static func membersOrItself(_ text: String) -> [String] {
        guard text.utf8.contains(0x5B), let json = try? JSONParser.parse(text, options: .init(rejectDuplicateKeys: false))
        else { return [text] }
        guard case .array(let members) = json else { return [text] }
        var isPure = true
        let texts = members.compactMap { member -> String? in
            if case .string(let text) = member { return text }
            if !member.isNull { isPure = false }
            return nil
        }
        return isPure ? texts : texts + [text]
    }

    private static func unique(_ texts: [String]) -> [String] {
        if texts.count < 2 { return texts.first == "" ? [] : texts }
        var seen = Set<String>(minimumCapacity: texts.count)
        return texts.filter { !$0.isEmpty && seen.insert($0).inserted }
    }
}
