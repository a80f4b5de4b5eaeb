import Store
import JSON

/// All SQL of queries that is not plain standard, in SQLite's spelling. Another database gets a dialect of its own.
enum SQLiteDialect {
    /// Appends the name of a table, column or alias in quotes.
    static func quote(_ name: String, onto text: inout String) {
        text += "\""
        if name.utf8.contains(UInt8(ascii: "\"")) {
            text += name.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\"\"")
        } else {
            text += name
        }
        text += "\""
    }

    /// How a value is bound.
    static func value(_ value: Value) -> SQLValue {
        switch value {
        case .null: .null
        case .bool(let value): .integer(value ? 1 : 0)
        case .number(let value): .real(value)
        case .text(let value), .json(let value): .text(value)
        }
    }

    /// A table of one column `value` with the members of a column's array, or the column itself when it holds none.
    static func members(of column: SQLText) -> SQLText {
        """
        json_each(CASE WHEN iif(json_valid(\(column)), json_type(\(column)) = 'array', FALSE) \
        THEN \(column) ELSE json_array(\(column)) END)
        """
    }

    /// The same of a column that holds an array in all rows that we or PocketBase wrote: one look instead of two parses.
    static func arrayMembers(of column: SQLText) -> SQLText {
        "json_each(CASE WHEN \(column) GLOB '[[]*' THEN \(column) ELSE json_array(\(column)) END)"
    }

    /// A table of one column `value` with the members of an array given as JSON text.
    static func members(of parameter: PlanParameter) -> SQLText { "json_each(\(parameter))" }

    /// The number of members of a column; a single text counts as one, an empty one as none.
    static func count(of column: SQLText) -> SQLText {
        """
        json_array_length(CASE WHEN iif(json_valid(\(column)), json_type(\(column)) = 'array', FALSE) \
        THEN \(column) ELSE (CASE WHEN \(column) = '' OR \(column) IS NULL THEN json_array() \
        ELSE json_array(\(column)) END) END)
        """
    }

    /// A value inside a column's JSON document; what is not JSON is taken as a text.
    /// - Parameter path: keys and positions; letters, digits and underscores only.
    static func extract(_ column: SQLText, path: [String]) -> SQLText {
        if path.isEmpty {
            // A column without a type of its own holds numbers as such; they are documents of their own.
            return """
                (CASE WHEN typeof(\(column)) IN ('integer', 'real') THEN \(column) \
                WHEN json_valid(\(column)) THEN json_extract(\(column), '$') \
                ELSE json_extract(json_object('pb', \(column)), '$.pb') END)
                """
        }
        var text = ""
        for key in path { text += Int(key) != nil ? "[\(key)]" : ".\(key)" }
        return """
            (CASE WHEN json_valid(\(column)) THEN json_extract(\(column), '$\(raw: text)') \
            ELSE json_extract(json_object('pb', \(column)), '$.pb\(raw: text)') END)
            """
    }

    static func lower(_ value: SQLText) -> SQLText { "LOWER(\(value))" }

    static func like(_ left: SQLText, _ pattern: SQLText, isNegated: Bool) -> SQLText {
        "\(left)\(raw: isNegated ? " NOT" : "") LIKE \(pattern) ESCAPE '\\'"
    }

    /// Equality that takes NULL for a value.
    static func same(_ left: SQLText, _ right: SQLText, isNegated: Bool) -> SQLText {
        "\(left) IS\(raw: isNegated ? " NOT" : "") \(right)"
    }

    static func formatTime(_ arguments: [SQLText]) -> SQLText { "strftime(\(arguments.joined(separator: ", ")))" }

    /// Kilometres between two points by the spherical law of cosines.
    static func distance(_ lonA: SQLText, _ latA: SQLText, _ lonB: SQLText, _ latB: SQLText) -> SQLText {
        """
        (6371 * acos(cos(radians(\(latA))) * cos(radians(\(latB))) * cos(radians(\(lonB)) - radians(\(lonA))) \
        + sin(radians(\(latA))) * sin(radians(\(latB)))))
        """
    }

    static let random = "RANDOM()"
    static func rowID(of alias: String) -> SQLText { "\(name: alias)._rowid_" }

    /// A row to join from, so that an outer join finds at least one.
    static let oneRow = "(SELECT 1)"
}
