/// An element of the small documents that S3 services answer with: names without prefixes, no attributes, no entities
/// of the document's own, so that none can grow.
struct XMLElement: Sendable {
    private(set) var name: String
    private(set) var text = ""
    private(set) var children: [XMLElement] = []

    private static let maxDepth = 20

    private init(_ name: String) { self.name = name }

    /// The first child of a name.
    subscript(_ name: String) -> XMLElement? { children.first { $0.name == name } }

    /// The text of the first child of a name; empty when there is none.
    func value(_ name: String) -> String { self[name]?.text ?? "" }

    func all(_ name: String) -> [XMLElement] { children.filter { $0.name == name } }

    /// - Returns: nil for what is no such document.
    init?(parsing bytes: [UInt8]) {
        var reader = Reader(bytes: bytes)
        guard let root = reader.document() else { return nil }
        self = root
    }

    private struct Reader {
        let bytes: [UInt8]
        var position = 0

        init(bytes: [UInt8]) { self.bytes = bytes }

        private func begins(_ text: StaticString) -> Bool {
            text.withUTF8Buffer { bytes[position...].starts(with: $0) }
        }

        /// Moves behind the next occurrence of a text.
        private mutating func skip(past text: StaticString) -> Bool {
            while position < bytes.count {
                if begins(text) {
                    position += text.utf8CodeUnitCount
                    return true
                }
                position += 1
            }
            return false
        }

        mutating func document() -> XMLElement? {
            var open: [XMLElement] = []
            while position < bytes.count {
                if bytes[position] != UInt8(ascii: "<") {
                    let text = text()
                    if !open.isEmpty { open[open.count - 1].text += text }
                } else if begins("<?") {
                    guard skip(past: "?>") else { return nil }
                } else if begins("<!--") {
                    guard skip(past: "-->") else { return nil }
                } else if begins("<![CDATA[") {
                    let start = position + 9
                    guard skip(past: "]]>"), !open.isEmpty else { return nil }
                    open[open.count - 1].text += String(decoding: bytes[start..<(position - 3)], as: UTF8.self)
                } else if begins("<!") {
                    // A document type has no business here.
                    return nil
                } else {
                    guard let tag = tag() else { return nil }
                    if tag.isEnd {
                        guard let element = open.popLast(), element.name == tag.name else { return nil }
                        guard !open.isEmpty else { return element }
                        open[open.count - 1].children.append(element)
                    } else if tag.isEmpty {
                        guard !open.isEmpty else { return XMLElement(tag.name) }
                        open[open.count - 1].children.append(XMLElement(tag.name))
                    } else {
                        guard open.count < XMLElement.maxDepth else { return nil }
                        open.append(XMLElement(tag.name))
                    }
                }
            }
            return nil
        }

        private mutating func tag() -> (name: String, isEnd: Bool, isEmpty: Bool)? {
            guard let end = bytes[position...].firstIndex(of: UInt8(ascii: ">")) else { return nil }
            var inner = bytes[(position + 1)..<end]
            position = end + 1
            let isEnd = inner.first == UInt8(ascii: "/")
            if isEnd { inner = inner.dropFirst() }
            let isEmpty = inner.last == UInt8(ascii: "/")
            if isEmpty { inner = inner.dropLast() }
            let name = inner.prefix { $0 > 0x20 }
            let local = name.lastIndex(of: UInt8(ascii: ":")).map { name[($0 + 1)...] } ?? name
            return local.isEmpty ? nil : (String(decoding: local, as: UTF8.self), isEnd, isEmpty)
        }

        /// Text up to the next tag.
        private mutating func text() -> String {
            let end = bytes[position...].firstIndex(of: UInt8(ascii: "<")) ?? bytes.count
            let raw = bytes[position..<end]
            position = end
            guard raw.contains(UInt8(ascii: "&")) else { return String(decoding: raw, as: UTF8.self) }
            var out: [UInt8] = []
            var index = raw.startIndex
            while index < raw.endIndex {
                if raw[index] == UInt8(ascii: "&"),
                    let stop = raw[index...].prefix(12).firstIndex(of: UInt8(ascii: ";")),
                    let character = Self.entity(String(decoding: raw[(index + 1)..<stop], as: UTF8.self))
                {
                    out += String(character).utf8
                    index = stop + 1
                } else {
                    out.append(raw[index])
                    index += 1
                }
            }
            return String(decoding: out, as: UTF8.self)
        }

        private static func entity(_ name: String) -> Character? {
            switch name {
            case "lt": return "<"
            case "gt": return ">"
            case "amp": return "&"
            case "quot": return "\""
            case "apos": return "'"
            default:
                let number =
                    name.hasPrefix("#x")
                    ? UInt32(name.dropFirst(2), radix: 16)
                    : name.hasPrefix("#") ? UInt32(name.dropFirst()) : nil
                return number.flatMap { Unicode.Scalar($0) }.map { Character($0) }
            }
        }
    }

    /// A text for a document.
    static func escaped(_ text: String) -> String {
        var out = ""
        for character in text {
            switch character {
            case "<": out += "&lt;"
            case ">": out += "&gt;"
            case "&": out += "&amp;"
            case "\"": out += "&quot;"
            default: out.append(character)
            }
        }
        return out
    }
}
