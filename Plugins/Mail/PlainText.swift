import CXML2

/// The plain text of an HTML mail: links as `[text](address)`, items of lists with a dash, a line for each block.
enum PlainText {
    private static let skipped: Set<String> = [
        "style", "script", "iframe", "applet", "object", "svg", "img", "button", "form", "textarea", "input", "select",
        "option", "template", "title",
    ]
    private static let inline: Set<String> = [
        "a", "span", "small", "strike", "strong", "sub", "sup", "em", "b", "u", "i", "br",
    ]

    /// Elements deeper than this are left out.
    private static let maxDepth = 256

    static func of(html: String) -> String {
        guard roost_xml_load() == nil, let document = roost_html_read(html, Int32(clamping: html.utf8.count)) else {
            return ""
        }
        defer { roost_xml_free(document) }
        var writer = Writer()
        writer.visit(roost_xml_root(document), depth: 0)
        return writer.text
    }

    private struct Writer {
        private var bytes: [UInt8] = []
        /// Whether the line has something on it.
        private var hasText = false

        var text: String {
            var trimmed = bytes[...]
            while let last = trimmed.last, last <= 0x20 { trimmed = trimmed.dropLast() }
            while let first = trimmed.first, first <= 0x20 { trimmed = trimmed.dropFirst() }
            return String(decoding: trimmed, as: UTF8.self)
        }

        mutating func visit(_ node: UnsafeMutablePointer<xmlNode>?, depth: Int) {
            guard let node, depth < PlainText.maxDepth else { return }
            switch node.pointee.type {
            case XML_TEXT_NODE, XML_CDATA_SECTION_NODE:
                if let content = node.pointee.content { write(content) }
                return
            case XML_ELEMENT_NODE: break
            default: return
            }
            let name = node.pointee.name.map { PlainText.string($0) } ?? ""
            if PlainText.skipped.contains(name) { return }
            if name == "br" || (hasText && !PlainText.inline.contains(name)) { newLine() }
            if name == "li" { bytes += "- ".utf8 }
            let start = bytes.count
            var child = node.pointee.children
            while let current = child {
                visit(current, depth: depth + 1)
                child = current.pointee.next
            }
            if name == "a" { link(node, from: start) }
        }

        private mutating func newLine() {
            bytes += "\r\n".utf8
            hasText = false
        }

        /// Spaces of any kind and number are one space, and none at the beginning of a line.
        private mutating func write(_ content: UnsafePointer<UInt8>) {
            var position = content
            while position.pointee != 0 {
                if position.pointee <= 0x20 {
                    if hasText, bytes.last != 0x20 { bytes.append(0x20) }
                } else {
                    bytes.append(position.pointee)
                    hasText = true
                }
                position += 1
            }
        }

        private mutating func link(_ node: UnsafeMutablePointer<xmlNode>, from start: Int) {
            var label = bytes[start...]
            while let last = label.last, last <= 0x20 { label = label.dropLast() }
            while let first = label.first, first <= 0x20 { label = label.dropFirst() }
            let shown = label.isEmpty ? Array("LINK".utf8) : Array(label)
            bytes.removeSubrange(start...)
            bytes += [UInt8(ascii: "[")] + shown + [UInt8(ascii: "]")]
            hasText = true
            guard let address = roost_xml_attribute(node, "href") else { return }
            let target = PlainText.string(address)
            roost_xml_free_text(address)
            if !target.isEmpty { bytes += "(\(target))".utf8 }
        }
    }

    fileprivate static func string(_ text: UnsafePointer<UInt8>) -> String { String(cString: text) }
}
