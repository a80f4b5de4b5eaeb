/// A part of a WHERE with the joins that it needs, kept as a tree so that the planner can take it apart.
indirect enum Condition {
    case test(SQLText, joins: Set<Int>, Traits = Traits())
    case all([Condition])
    case any([Condition])

    /// What the planner may make of a test.
    struct Traits {
        /// The same test without any join, by way of sets of ids.
        var members: (sql: SQLText, cost: Int)?
        /// Whether few rows of the query's own table can meet it, and an index finds them.
        var isSelective = false
    }

    var joins: Set<Int> {
        switch self {
        case .test(_, let joins, _): joins
        case .all(let parts), .any(let parts): parts.reduce(into: []) { $0.formUnion($1.joins) }
        }
    }

    /// The SQL; an `any` is put into parentheses, so that the result can stand beside an AND.
    var sql: SQLText { rendered.sql }

    /// The SQL with the depth of the tree. The deepest part of each group is written first: SQLite's parser keeps what
    /// stands before an open parenthesis on a stack of a hundred places.
    private var rendered: (sql: SQLText, depth: Int) {
        switch self {
        case .test(let sql, _, _): return (sql, 0)
        case .all(let parts): return Self.join(parts.map(\.rendered), " AND ")
        case .any(let parts):
            let (sql, depth) = Self.join(parts.map(\.rendered), " OR ")
            return ("(\(sql))", depth)
        }
    }

    private static func join(
        _ rendered: [(sql: SQLText, depth: Int)], _ separator: String
    ) -> (sql: SQLText, depth: Int) {
        var rendered = rendered
        let depth = rendered.map(\.depth).max() ?? 0
        if depth > 8, let deepest = rendered.firstIndex(where: { $0.depth == depth }) {
            rendered.swapAt(0, deepest)
        }
        return (rendered.map(\.sql).joined(separator: separator), depth + 1)
    }

    /// The conditions that must all hold.
    var conjuncts: [Condition] {
        if case .all(let parts) = self { parts.flatMap(\.conjuncts) } else { [self] }
    }

    /// The same condition without joins along which rows multiply, where each of its tests has such a form.
    ///
    /// In an `any` each test may find a related row of its own. In an `all`, tests on one path are about the same row,
    /// so that they cannot be taken apart.
    /// - Parameters:
    ///   - largest: rows of the largest table that may be searched for members.
    ///   - many: the joins of a set along which rows multiply.
    func withoutJoins(largest: Int, many: (Set<Int>) -> Set<Int>) -> Condition? {
        switch self {
        case .test(let sql, let joins, let traits):
            if let members = traits.members, members.cost <= largest {
                return .test(members.sql, joins: [], Traits(isSelective: traits.isSelective))
            }
            return many(joins).isEmpty ? .test(sql, joins: joins, traits) : nil
        case .any(let parts):
            let rewritten = parts.compactMap { $0.withoutJoins(largest: largest, many: many) }
            return rewritten.count == parts.count ? .any(rewritten) : nil
        case .all(let parts):
            var seen: Set<Int> = []
            var rewritten: [Condition] = []
            for part in parts {
                let joins = many(part.joins)
                guard seen.isDisjoint(with: joins), let part = part.withoutJoins(largest: largest, many: many) else {
                    return nil
                }
                seen.formUnion(joins)
                rewritten.append(part)
            }
            return .all(rewritten)
        }
    }
}
