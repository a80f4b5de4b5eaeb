package import JSON

/// What the `fields` query parameter leaves of an answer: `a,b.c,*,text:excerpt(200,true)`.
package struct FieldPicker: Sendable {
    /// What may be done to a picked value.
    enum Modifier: Sendable {
        case excerpt(max: Int, withEllipsis: Bool)
    }

    private var fields: [String: Modifier?]

    /// - Throws: `ServiceError` 400 when a modifier is unknown or its arguments make no sense.
    package init(_ text: String) throws {
        fields = [:]
        for part in Self.split(text) {
            let pieces = part.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            let name = String(pieces[0])
            fields[name] = .some(nil)
            if pieces.count > 1 { fields[name] = .some(try Self.modifier(String(pieces[1]))) }
        }
    }

    /// Picks from an object, or from each object of an array.
    package func pick(_ json: JSON) -> JSON {
        fields.isEmpty ? json : Self.pick(json, fields)
    }

    private static func pick(_ json: JSON, _ fields: [String: Modifier?]) -> JSON {
        switch json {
        case .object(let object): .object(pick(object, fields))
        case .array(let items):
            if case .object? = items.first { .array(items.map { pick($0, fields) }) } else { json }
        default: json
        }
    }

    private static func pick(_ object: JSONObject, _ fields: [String: Modifier?]) -> JSONObject {
        guard !fields.isEmpty else { return object }
        var picked = JSONObject()
        for (key, value) in object {
            var matching: [String: Modifier?] = [:]
            for (field, modifier) in fields where (field + ".").hasPrefix(key + ".") {
                matching[String(field.dropFirst(key.count + 1))] = .some(modifier)
            }
            if matching.isEmpty {
                if let star = fields["*"] { matching[""] = .some(star) } else { continue }
            }
            if let whole = matching[""] {
                picked.append(key, apply(whole, value))
            } else {
                picked.append(key, pick(value, matching))
            }
        }
        return picked
    }

    private static func apply(_ modifier: Modifier?, _ value: JSON) -> JSON {
        guard case .excerpt(let max, let withEllipsis)? = modifier, let text = value.stringValue else { return value }
        return .string(Excerpt.make(text, max: max, withEllipsis: withEllipsis))
    }

    /// Splits at commas that are not inside parentheses.
    private static func split(_ text: String) -> [String] {
        var parts: [String] = []
        var part = ""
        var depth = 0
        for character in text {
            switch character {
            case "(": depth += 1
            case ")": depth -= 1
            default: break
            }
            if character == "," && depth <= 0 {
                parts.append(part)
                part = ""
            } else {
                part.append(character)
            }
        }
        parts.append(part)
        return parts.map(trimmed).filter { !$0.isEmpty }
    }

    private static func trimmed(_ text: String) -> String {
        var text = Substring(text)
        while text.first?.isWhitespace == true { text.removeFirst() }
        while text.last?.isWhitespace == true { text.removeLast() }
        return String(text)
    }

    private static func modifier(_ text: String) throws -> Modifier {
        // Parentheses, commas and spaces only part the words, wherever they stand; so it is in PocketBase.
        let words = text.split { "(), ".contains($0) }.map { trimmed(String($0)) }.filter { !$0.isEmpty }
        let arguments = words.dropFirst().map { $0 }
        guard words.first == "excerpt", (1...2).contains(arguments.count), let max = Int(arguments[0]), max > 0 else {
            throw ServiceError.badRequest()
        }
        return .excerpt(
            max: min(max, 1 << 30),
            withEllipsis: arguments.count > 1 && ["true", "1", "t"].contains(arguments[1].lowercased()))
    }
}

/// Plain text out of HTML, cut to about a number of characters, as the `:excerpt` modifier gives it.
package enum Excerpt {
    private static let hiddenTags: Set<String> = [
        "head", "style", "script", "iframe", "embed", "applet", "object", "svg", "img", "picture", "dialog",
        "template", "button", "form", "textarea", "input", "select", "option",
    ]
    private static let inlineTags: Set<String> = [
        "a", "abbr", "acronym", "b", "bdo", "big", "br", "button", "cite", "code", "em", "i", "label", "q", "small",
        "span", "strong", "strike", "sub", "sup", "time",
    ]
    /// Elements without a content, whose hiding must not swallow what follows.
    private static let voidTags: Set<String> = ["img", "input", "embed", "br", "hr", "meta", "link"]
    private static let entities: [String: String] = [
        "amp": "&", "lt": "<", "gt": ">", "quot": "\"", "apos": "'", "nbsp": "\u{00A0}", "copy": "©", "reg": "®",
        "hellip": "…", "mdash": "—", "ndash": "–", "lsquo": "‘", "rsquo": "’", "ldquo": "“", "rdquo": "”", "euro": "€",
    ]

    package static func make(_ html: String, max: Int, withEllipsis: Bool) -> String {
        var text: [Character] = []
        var hidden: [String] = []
        var characters = Array(html)[...]
        func space() { if let last = text.last, last != " " { text.append(" ") } }
        while let character = characters.first, text.count <= max + 2 {
            if character == "<", let tag = tag(&characters) {
                if tag.isClosing {
                    if hidden.last == tag.name { hidden.removeLast() }
                } else if hiddenTags.contains(tag.name) && !voidTags.contains(tag.name) && !tag.isSelfClosing {
                    hidden.append(tag.name)
                }
                if !tag.name.isEmpty && !inlineTags.contains(tag.name) { space() }
                continue
            }
            characters.removeFirst()
            guard hidden.isEmpty else { continue }
            if character == "&", let decoded = entity(&characters) {
                text.append(contentsOf: decoded)
            } else if character.isWhitespace && character != "\u{00A0}" {
                if text.last != " " { text.append(" ") }
            } else {
                text.append(character)
            }
        }
        while text.last == " " { text.removeLast() }
        while text.first == " " { text.removeFirst() }
        guard text.count > max else { return String(text) }
        var cut = Array(text[..<max])
        while cut.last == " " { cut.removeLast() }
        return String(cut) + (withEllipsis ? "..." : "")
    }

    /// Reads a tag or comment that begins at `<`; nil when it is only a sign, which is then text.
    private static func tag(
        _ characters: inout ArraySlice<Character>
    ) -> (name: String, isClosing: Bool, isSelfClosing: Bool)? {
        var rest = characters.dropFirst()
        if rest.starts(with: "!--") {
            var index = rest.startIndex
            while index < rest.endIndex, !rest[index...].starts(with: "-->") { index += 1 }
            characters = rest[Swift.min(index + 3, rest.endIndex)...]
            return ("", false, false)
        }
        let isClosing = rest.first == "/"
        if isClosing { rest.removeFirst() }
        guard let first = rest.first, first.isLetter || first == "!" || first == "?" else { return nil }
        var name = ""
        while let character = rest.first, character.isLetter || character.isNumber {
            name.append(character)
            rest.removeFirst()
        }
        var previous: Character = " "
        while let character = rest.popFirst() {
            if character == ">" { break }
            previous = character
        }
        characters = rest
        return (name.lowercased(), isClosing, previous == "/")
    }

    private static func entity(_ characters: inout ArraySlice<Character>) -> String? {
        guard let end = characters.prefix(10).firstIndex(of: ";") else { return nil }
        let name = String(characters[characters.startIndex..<end])
        var decoded = entities[name]
        if name.hasPrefix("#x") || name.hasPrefix("#X") {
            decoded = UInt32(name.dropFirst(2), radix: 16).flatMap(Unicode.Scalar.init).map { String(Character($0)) }
        } else if name.hasPrefix("#") {
            decoded = UInt32(name.dropFirst()).flatMap(Unicode.Scalar.init).map { String(Character($0)) }
        }
        if decoded != nil { characters = characters[(end + 1)...] }
        return decoded
    }
}
