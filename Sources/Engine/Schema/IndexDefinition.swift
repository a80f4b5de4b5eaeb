/// A `CREATE INDEX` statement taken apart, as far as PocketBase looks at it.
package struct IndexDefinition: Sendable, Equatable {
    package struct Column: Sendable, Equatable {
        /// A column's name or an expression.
        package var name: String
        package var collation = ""
        /// `ASC`, `DESC` or nothing.
        package var order = ""
    }
    package var schemaName = ""
    package var name = ""
    package var table = ""
    package var condition = ""
    package var columns: [Column] = []
    package var isUnique = false
    package var isOptional = false

    package var isValid: Bool { !name.isEmpty && !table.isEmpty && !columns.isEmpty }

    /// The statement in PocketBase's spelling; empty when a part is missing.
    package var statement: String {
        guard isValid else { return "" }
        var sql = "CREATE " + (isUnique ? "UNIQUE " : "") + "INDEX " + (isOptional ? "IF NOT EXISTS " : "")
        if !schemaName.isEmpty { sql += "`\(schemaName)`." }
        sql += "`\(name)` ON `\(table)` ("
        let texts = columns.map { column in
            let isExpression = column.name.contains("(") || column.name.contains(" ")
            var text = isExpression ? column.name : "`\(column.name)`"
            if !column.collation.isEmpty { text += " COLLATE " + column.collation }
            if !column.order.isEmpty { text += " " + column.order }
            return text
        }
        sql += texts.count > 1 ? "\n  " + texts.joined(separator: ",\n  ") + "\n" : texts.joined()
        return sql + ")" + (condition.isEmpty ? "" : " WHERE " + condition)
    }

    /// Reads a statement; what does not look like one gives a definition that is not valid.
    package init(_ sql: String) {
        let text = Array(sql.unicodeScalars)
        for start in text.indices {
            var reader = IndexReader(text: text, position: start)
            if let found = reader.read() {
                self = found
                return
            }
        }
    }

    init() {}

    /// The first unique index over one column, whatever its condition.
    package static func uniqueIndex(on column: String, in indexes: [String]) -> IndexDefinition? {
        indexes.lazy.map { IndexDefinition($0) }.first {
            $0.isUnique && $0.columns.count == 1 && $0.columns[0].name.lowercased() == column.lowercased()
        }
    }
}

/// Reads the parts of an index statement that begins at a place in a text.
private struct IndexReader {
    let text: [Unicode.Scalar]
    var position: Int

    private static let trimmed = Set("`\"'[]\r\n\t\u{0C}\u{0B} ".unicodeScalars)

    mutating func read() -> IndexDefinition? {
        var result = IndexDefinition()
        guard word("create"), spaces(1) else { return nil }
        let beforeUnique = position
        if word("unique"), spaces(1) { result.isUnique = true } else { position = beforeUnique }
        spaces(0)
        guard word("index") else { return nil }
        let afterIndex = position
        spaces(0)
        let beforeOptional = position
        if word("if"), spaces(1), word("not"), spaces(1), word("exists"), spaces(1) {
            result.isOptional = true
        } else {
            position = beforeOptional
        }
        let nameStart = position
        nonSpaces()
        var name = slice(nameStart, position)
        if !(spaces(1) && word("on") && spaces(1)) {
            // The index may have no name at all: "create index on t (c)".
            position = afterIndex
            guard spaces(1), word("on"), spaces(1) else { return nil }
            name = ""
            result.isOptional = false
        }
        guard readTableAndColumns(&result) else { return nil }
        readName(name, into: &result)
        return result
    }

    /// Reads the table's name: as much without spaces as still leaves an opening parenthesis for the columns.
    private mutating func readTableAndColumns(_ result: inout IndexDefinition) -> Bool {
        let start = position
        nonSpaces()
        var end = position
        while end >= start {
            position = end
            spaces(0)
            if position < text.count, text[position] == "(", readEnd(open: position, &result) {
                result.table = trim(slice(start, end))
                return true
            }
            end -= 1
        }
        return false
    }

    /// The columns end at the first parenthesis after which only a condition or nothing stands.
    private mutating func readEnd(open: Int, _ result: inout IndexDefinition) -> Bool {
        for close in text.indices.dropFirst(open + 1) where text[close] == ")" {
            position = close + 1
            let hasSpace = spaces(1)
            let isCondition = hasSpace && word("where") && spaces(1)
            guard isCondition || position == text.count else { continue }
            if isCondition { result.condition = trimSpace(slice(position, text.count)) }
            readColumns(slice(open + 1, close), into: &result)
            return true
        }
        return false
    }

    private func readName(_ name: String, into result: inout IndexDefinition) {
        guard let parts = try? SQLTokenizer.split(name, at: ["."]), let first = parts.first else { return }
        if parts.count == 2 {
            result.schemaName = trim(first)
            result.name = trim(parts[1])
        } else {
            result.name = trim(first)
        }
    }

    private func readColumns(_ columns: String, into result: inout IndexDefinition) {
        for column in (try? SQLTokenizer.split(columns, at: [","])) ?? [] {
            var reader = IndexReader(text: Array(column.unicodeScalars), position: 0)
            guard var found = reader.readColumn() else { continue }
            found.name = trim(found.name)
            if !found.name.isEmpty { result.columns.append(found) }
        }
    }

    /// The shortest name after which only a collation, an order or nothing follows.
    private mutating func readColumn() -> IndexDefinition.Column? {
        for end in text.indices.map({ $0 + 1 }) {
            for (withCollation, withOrder) in [(true, true), (true, false), (false, true), (false, false)] {
                position = end
                var column = IndexDefinition.Column(name: slice(0, end))
                if withCollation {
                    guard spaces(1), word("collate"), spaces(1), let name = wordCharacters() else { continue }
                    column.collation = name
                }
                if withOrder {
                    guard spaces(1) else { continue }
                    if word("asc") {
                        column.order = "ASC"
                    } else if word("desc") {
                        column.order = "DESC"
                    } else {
                        continue
                    }
                }
                if position == text.count { return column }
            }
        }
        return nil
    }

    private mutating func word(_ word: String) -> Bool {
        let scalars = Array(word.unicodeScalars)
        guard position + scalars.count <= text.count else { return false }
        for (offset, scalar) in scalars.enumerated() {
            guard text[position + offset].properties.lowercaseMapping == String(scalar) else { return false }
        }
        position += scalars.count
        return true
    }

    private mutating func wordCharacters() -> String? {
        let start = position
        while position < text.count, text[position].isWordCharacter { position += 1 }
        return position > start ? slice(start, position) : nil
    }

    @discardableResult
    private mutating func spaces(_ atLeast: Int) -> Bool {
        let start = position
        while position < text.count, text[position].isRegexSpace { position += 1 }
        return position - start >= atLeast
    }

    private mutating func nonSpaces() {
        while position < text.count, !text[position].isRegexSpace { position += 1 }
    }

    private func slice(_ from: Int, _ to: Int) -> String {
        var view = String.UnicodeScalarView()
        view.append(contentsOf: text[from..<max(from, to)])
        return String(view)
    }

    private func trim(_ value: String) -> String { value.trimmingScalars { Self.trimmed.contains($0) } }
    private func trimSpace(_ value: String) -> String { value.trimmingScalars { $0.properties.isWhitespace } }
}

extension Unicode.Scalar {
    /// `\s` of RE2.
    var isRegexSpace: Bool { self == " " || self == "\t" || self == "\n" || self == "\r" || self == "\u{0C}" }
    /// `\w` of RE2.
    var isWordCharacter: Bool {
        (self >= "a" && self <= "z") || (self >= "A" && self <= "Z") || (self >= "0" && self <= "9") || self == "_"
    }
}

extension String {
    /// Without the scalars at both ends for which `isTrimmed` is true.
    func trimmingScalars(_ isTrimmed: (Unicode.Scalar) -> Bool) -> String {
        var slice = unicodeScalars[...]
        while let first = slice.first, isTrimmed(first) { slice.removeFirst() }
        while let last = slice.last, isTrimmed(last) { slice.removeLast() }
        return String(slice)
    }

    /// Whether it is one or more letters, digits and underscores (`^\w+$`).
    var isWord: Bool { !isEmpty && unicodeScalars.allSatisfy(\.isWordCharacter) }
}
