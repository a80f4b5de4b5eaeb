/// A part of a WHERE with the joins that it needs, kept as a tree so that the planner can take it apart.
indirect enum Condition {
    case test(SQLText, joins: Set<Int>)
    case all([Condition])
    case any([Condition])

    var joins: Set<Int> {
        switch self {
        case .test(_, let joins): joins
        case .all(let parts), .any(let parts): parts.reduce(into: []) { $0.formUnion($1.joins) }
        }
    }

    /// The SQL; an `any` is put into parentheses, so that the result can stand beside an AND.
    var sql: SQLText {
        switch self {
        case .test(let sql, _): sql
        case .all(let parts): parts.map(\.sql).joined(separator: " AND ")
        case .any(let parts): "(\(parts.map(\.sql).joined(separator: " OR ")))"
        }
    }

    /// The conditions that must all hold.
    var conjuncts: [Condition] {
        if case .all(let parts) = self { parts.flatMap(\.conjuncts) } else { [self] }
    }
}
