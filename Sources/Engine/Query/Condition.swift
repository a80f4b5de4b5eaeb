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
    var sql: SQLText { rendered.sql }

    /// The SQL with the depth of the tree. The deepest part of each group is written first: SQLite's parser keeps what
    /// stands before an open parenthesis on a stack of a hundred places.
    private var rendered: (sql: SQLText, depth: Int) {
        func join(_ parts: [Condition], _ separator: String) -> (sql: SQLText, depth: Int) {
            var rendered = parts.map(\.rendered)
            let depth = rendered.map(\.depth).max() ?? 0
            if depth > 8, let deepest = rendered.firstIndex(where: { $0.depth == depth }) {
                rendered.swapAt(0, deepest)
            }
            return (rendered.map(\.sql).joined(separator: separator), depth + 1)
        }
        switch self {
        case .test(let sql, _): return (sql, 0)
        case .all(let parts): return join(parts, " AND ")
        case .any(let parts):
            let (sql, depth) = join(parts, " OR ")
            return ("(\(sql))", depth)
        }
    }

    /// The conditions that must all hold.
    var conjuncts: [Condition] {
        if case .all(let parts) = self { parts.flatMap(\.conjuncts) } else { [self] }
    }
}
