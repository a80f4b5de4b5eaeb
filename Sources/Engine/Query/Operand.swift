/// One side of a comparison as SQL, with what the comparison must know of it.
struct Operand {
    /// Whether NULL and the empty text are the same for it.
    enum NullHandling {
        /// They are, and a value known to be neither is compared directly.
        case automatic
        /// They are not (JSON, functions with numbers).
        case distinct
        /// They are, even if the SQL has constants in it (functions with texts).
        case equal
    }

    /// What is known of the value before the query runs.
    enum Knowledge {
        /// Nothing: a column, or a number made of the request.
        case nothing
        case null
        /// The literals 1 and 0.
        case truth
        case emptyParameter
        case filledParameter
    }

    var sql: SQLText
    var knowledge = Knowledge.nothing
    var nullHandling = NullHandling.automatic
    /// Whether the SQL has parameters in it: such a right side of a LIKE is a pattern, any other is searched for.
    var hasParameters = false
    /// The joins that the SQL needs.
    var joins: Set<Int> = []
    /// All the values, when the path leads to many.
    var values: ManyValues?
    /// The way to the values from the query's own row, and the value given the last row's alias; nil when there is no
    /// plain way.
    var route: (way: RelationRoute, value: @Sendable (String) -> SQLText)?
    /// Whether it is NULL where the path leads to no record.
    var isNullWithoutRow = false
    /// The column of the query's own table that it is.
    var ownColumn: String?
    /// The field, when its type has a say in how it is compared.
    var queried: QueriedField?
    /// Whether an index of the column may serve a pattern.
    var hasIndexForPatterns = false
    /// A further condition on the row that the operand is taken from.
    var condition: SQLText?
    /// Whether it can stand in a comparison only, not on the right of a LIKE, and not be sorted by.
    var isRequestList = false
    /// The column is declared with text affinity and never NULL (a record's own id).
    var isKey = false
    var isText = false

    init(_ sql: SQLText) { self.sql = sql }

    static let null: Operand = {
        var operand = Operand("NULL")
        operand.knowledge = .null
        return operand
    }()

    static func truth(_ value: Bool) -> Operand {
        var operand = Operand(value ? "1" : "0")
        operand.knowledge = .truth
        return operand
    }

    /// SQL's word for a truth, which after `IS NOT` asks whether a value is true at all, not whether it is 1.
    static func word(_ value: Bool) -> Operand {
        var operand = Operand(value ? "TRUE" : "FALSE")
        operand.knowledge = .truth
        return operand
    }

    /// A single `?`.
    static func parameter(_ parameter: PlanParameter, isEmpty: Bool) -> Operand {
        var operand = Operand(SQLText(parameter))
        operand.knowledge = isEmpty ? .emptyParameter : .filledParameter
        operand.hasParameters = true
        return operand
    }

    /// Whether it is the same for all rows.
    var isConstant: Bool { joins.isEmpty && values == nil && knowledge != .nothing && !isRequestList }

    var isEmpty: Bool {
        switch knowledge {
        case .null: true
        case .emptyParameter: nullHandling == .automatic
        case .nothing, .truth, .filledParameter: false
        }
    }

    var isKnownFilled: Bool {
        guard nullHandling != .equal else { return false }
        switch knowledge {
        case .truth, .filledParameter: return true
        case .nothing, .null, .emptyParameter: return false
        }
    }
}

/// A subquery for all values that a path leads to from one row, for operators that ask all of them to agree.
struct ManyValues {
    /// The table, its alias, and the joins from there.
    var source: SQLText
    /// What ties the subquery to the row.
    var tie: SQLText
    var value: SQLText

    /// - Returns: a query of one column `value`.
    func query() -> SQLText { "SELECT \(value) AS \"value\" FROM \(source) WHERE \(tie)" }
}
