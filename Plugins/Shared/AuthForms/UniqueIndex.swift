/// A `CREATE UNIQUE INDEX` statement over one column.
package struct UniqueIndex {
    package let column: String
    /// Whether the column is compared without regard to the case of ASCII letters.
    package let ignoresCase: Bool

    /// Nil for every other statement.
    package init?(_ statement: String) {
        guard let open = statement.firstIndex(of: "("), let close = Self.end(of: statement[open...]) else { return nil }
        let head = statement[..<open].split(whereSeparator: \.isWhitespace).prefix(3).map { $0.lowercased() }
        guard head == ["create", "unique", "index"] else { return nil }
        let body = statement[statement.index(after: open)..<close]
        guard !body.contains(",") else { return nil }
        let words = body.split(whereSeparator: \.isWhitespace)
        guard let first = words.first else { return nil }
        let name = first.drop { "`\"'[".contains($0) }.reversed().drop { "`\"']".contains($0) }.reversed()
        guard !name.isEmpty, !name.contains("(") else { return nil }
        column = String(name)
        let collation = words.firstIndex { $0.lowercased() == "collate" }.map { words.index(after: $0) }
        ignoresCase = collation.map { $0 < words.endIndex && words[$0].lowercased() == "nocase" } ?? false
    }

    /// The bracket that closes the first one.
    private static func end(of text: Substring) -> String.Index? {
        var depth = 0
        for index in text.indices {
            if text[index] == "(" { depth += 1 }
            if text[index] == ")" { depth -= 1 }
            if depth == 0 { return index }
        }
        return nil
    }
}
