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
    static func members(of column: SQLText) -> SQLText { "roost_each(\(column))" }

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

    /// What a field of a plugin's type is compared with, in the stored form; see ``FieldQueries``.
    static func cast(_ value: SQLText, for field: any FieldQuery, otherwise failure: CastFailure) -> SQLText {
        "roost_field_cast(\(raw: String(field.queryID)), \(raw: String(failure.rawValue)), \(value))"
    }

    /// What becomes of a value that makes no sense for the type that it is compared with.
    enum CastFailure: Int64 {
        /// The statement fails.
        case error = 0
        case null = 1
        /// It stays as it is.
        case unchanged = 2
    }

    /// What a stored value of such a field is compared by.
    static func key(of value: SQLText, _ field: any FieldQuery, _ form: FieldShape.Form) -> SQLText {
        "roost_field_key(\(raw: String(field.queryID)), \(raw: String(form.rawValue)), \(value))"
    }

    /// What `:length` of such a field is.
    static func count(of value: SQLText, _ field: any FieldQuery, _ form: FieldShape.Form) -> SQLText {
        "roost_field_count(\(raw: String(field.queryID)), \(raw: String(form.rawValue)), \(value))"
    }

    static func lower(_ value: SQLText) -> SQLText { "LOWER(\(value))" }

    /// - Parameter hasIndex: whether an index may serve a pattern, which it can for SQLite's own operator alone.
    static func like(_ left: SQLText, _ pattern: SQLText, isNegated: Bool, hasIndex: Bool = false) -> SQLText {
        if hasIndex { return "\(left)\(raw: isNegated ? " NOT" : "") LIKE \(pattern) ESCAPE '\\'" }
        return "\(raw: isNegated ? "NOT " : "")roost_like(\(left), \(pattern))"
    }

    /// Whether a column's array has a member that is equal to a text, or one that is another.
    /// - Parameter otherwise: the same for what is no array of plain texts.
    static func hasMember(
        _ column: SQLText, equalTo value: SQLText, isNegated: Bool, otherwise: SQLText
    ) -> SQLText {
        "ifnull(roost_members(\(column), \(value)) & \(raw: isNegated ? "2" : "1"), \(otherwise))"
    }

    /// 0 for each row that comes so far.
    static let counted = "roost_counted()"

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
