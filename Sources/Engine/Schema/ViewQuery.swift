/// What can be read off a view's SELECT without understanding SQL: the names of its columns and where they come from.
///
/// PocketBase finds the fields of a view in the same simple way; a query that is read differently would give other
/// fields, so this keeps to its way of splitting.
struct ViewQuery {
    /// A column or table: what stands before `AS`, and the name it has afterwards.
    struct Identifier: Equatable {
        var original: String
        var alias: String
    }

    struct Unreadable: Error, CustomStringConvertible {
        var description: String
    }

    private(set) var columns: [Identifier] = []
    private(set) var tables: [Identifier] = []

    init(_ sql: String) throws {
        var text = Array(
            sql.trimmingScalars { $0.properties.isWhitespace }.trimmingScalars { $0 == ";" }.unicodeScalars)
        text = ViewText.withoutComments(text)
        text = ViewText.replacing(ViewText.joins, with: " __pb_join__ ", in: text)
        text = ViewText.replacing(ViewText.clauses, with: " __pb_discard__ ", in: text)
        var parts: [Part: String] = [:]
        var part: Part?
        var skips = false
        var view = String.UnicodeScalarView()
        view.append(contentsOf: text)
        for token in try SQLTokenizer.split(String(view), at: [",", " ", "\n", "\t"], keepsSeparator: true) {
            switch token.trimmingScalars({ $0.properties.isWhitespace }).lowercased() {
            case "select":
                skips = false
                part = .select
            case "distinct": continue
            case "from":
                skips = false
                part = .from
            case "__pb_join__":
                skips = false
                if part == .join { parts[.join, default: ""] += "," }
                part = .join
            case "__pb_discard__": skips = true
            case let word:
                if part == .join, word == "on" { skips = true }
                if !skips, let part { parts[part, default: ""] += " " + token }
            }
        }
        columns = try Self.identifiers(parts[.select] ?? "")
        tables = try Self.identifiers(parts[.from] ?? "") + Self.identifiers(parts[.join] ?? "")
    }

    private enum Part { case select, from, join }

    private static func identifiers(_ text: String) throws -> [Identifier] {
        try SQLTokenizer.split(text, at: [","]).map { part in
            try identifier(SQLTokenizer.split(part, at: [" ", "\n", "\t"]))
        }
    }

    private static func identifier(_ parts: [String]) throws(Unreadable) -> Identifier {
        let original: String
        let alias: String
        switch parts.count {
        case 3:
            guard parts[1].lowercased() == "as" else {
                throw Unreadable(description: "invalid identifier part - expected \"as\", got \(parts[1])")
            }
            (original, alias) = (parts[0], parts[2])
        case 2: (original, alias) = (parts[0], parts[1])
        case 1:
            original = parts[0]
            alias = parts[0].split(separator: ".", omittingEmptySubsequences: false).last.map(String.init) ?? parts[0]
        default: throw Unreadable(description: "invalid identifier parts [\(parts.joined(separator: " "))]")
        }
        // SQLite takes a single-quoted text for a name where only a name can stand (sqlite.org/lang_keywords.html).
        return Identifier(original: unquoted(original), alias: unquoted(alias, alsoSingle: true))
    }

    private static func unquoted(_ name: String, alsoSingle: Bool = false) -> String {
        name.split(separator: ".", omittingEmptySubsequences: false)
            .map { part in
                String(part).trimmingScalars { "`\"[];".unicodeScalars.contains($0) || alsoSingle && $0 == "'" }
            }
            .joined(separator: ".")
    }
}

/// Replacements in a query's text before it is split.
private enum ViewText {
    typealias Text = [Unicode.Scalar]

    static let joins = [
        ["full", "outer", "join"], ["left", "outer", "join"], ["right", "outer", "join"], ["full", "join"],
        ["cross", "join"], ["inner", "join"], ["outer", "join"], ["left", "join"], ["right", "join"], ["join"],
    ]
    static let clauses = [["where"], ["group", "by"], ["having"], ["order"], ["limit"], ["with"]]

    /// `/* … */` and `-- …` become a space.
    static func withoutComments(_ text: Text) -> Text {
        var result: Text = []
        var position = 0
        while position < text.count {
            if let end = commentEnd(text, position) {
                result.append(" ")
                position = end
            } else {
                result.append(text[position])
                position += 1
            }
        }
        return result
    }

    private static func commentEnd(_ text: Text, _ start: Int) -> Int? {
        guard start + 1 < text.count else { return nil }
        if text[start] == "/", text[start + 1] == "*" {
            var end = start + 2
            while end + 1 < text.count {
                if text[end] == "*", text[end + 1] == "/" { return end + 2 }
                end += 1
            }
            return nil
        }
        guard text[start] == "-", text[start + 1] == "-" else { return nil }
        var end = start + 2
        while end < text.count, text[end] != "\n" { end += 1 }
        return end > start + 2 ? end : nil
    }

    /// Replaces phrases with white space before and after them; one such character after is part of the phrase.
    static func replacing(_ phrases: [[String]], with replacement: String, in text: Text) -> Text {
        var result: Text = []
        var position = 0
        while position < text.count {
            if text[position].isRegexSpace, let end = phrases.lazy.compactMap({ match($0, text, position) }).first {
                result.append(contentsOf: replacement.unicodeScalars)
                position = end
            } else {
                result.append(text[position])
                position += 1
            }
        }
        return result
    }

    private static func match(_ phrase: [String], _ text: Text, _ start: Int) -> Int? {
        var position = start
        for word in phrase {
            let spaces = position
            while position < text.count, text[position].isRegexSpace { position += 1 }
            guard position > spaces else { return nil }
            for scalar in word.unicodeScalars {
                guard position < text.count, text[position].properties.lowercaseMapping == String(scalar)
                else { return nil }
                position += 1
            }
        }
        guard position < text.count, text[position].isRegexSpace else { return nil }
        return position + 1
    }
}
