/// Puts the parts of a query together.
///
/// A path through many related rows finds a record once for each of them. PocketBase joins everything and removes the
/// duplicates; here conditions on such paths become `EXISTS`, those that share a path together, so that the records
/// are neither multiplied nor compared with each other. Only a sort along such a path is still joined.
struct QueryPlanner {
    let joins: JoinSet
    /// All conditions that must hold.
    var conditions: [Condition]
    var sorts: [(sql: SQLText, joins: Set<Int>)] = []
    /// Rows of the query's own table, where they are known.
    var rows: Int?

    /// Whether an index leaves few of the table's rows.
    private var isSelective: Bool {
        conditions.flatMap(\.conjuncts).contains {
            if case .test(_, _, let traits) = $0 { traits.isSelective } else { false }
        }
    }

    /// Rows of the largest related table that is searched as a whole: as many as are found quickly, or, when the query
    /// goes over its own table anyway, no more than a few for each of its rows.
    func largestSet(forAllRows: Bool) -> Int {
        guard let rows else { return 0 }
        return forAllRows && !isSelective ? max(1000, 4 * rows) : 1000
    }

    struct Parts {
        var joins = SQLText(raw: "")
        var conditions: [SQLText] = []
        var isDistinct = false

        /// ` WHERE …`, or nothing.
        var filter: SQLText {
            conditions.isEmpty ? "" : " WHERE \(conditions.joined(separator: " AND "))"
        }
    }

    private struct Cluster {
        var conditions: [Condition]
        /// The joins along which rows multiply.
        var many: Set<Int>
        /// The others that they need.
        var single: Set<Int>
    }

    /// - Parameters:
    ///   - withSorts: false for a query that only counts.
    ///   - largestSet: rows of the largest related table that may be searched as a whole.
    func plan(withSorts: Bool, largestSet: Int) -> Parts {
        var parts = Parts()
        var clusters: [Cluster] = []
        /// The joins that stay in the query itself.
        var flat: Set<Int> = []

        let sortJoins = withSorts ? joins.closure(sorts.reduce(into: []) { $0.formUnion($1.joins) }) : []
        let sortMany = sortJoins.filter(joins.isMany)
        flat.formUnion(sortJoins)

        for condition in conditions.flatMap(\.conjuncts) {
            let closure = joins.closure(condition.joins)
            let many = closure.filter(joins.isMany)
            guard !many.isEmpty else {
                let plain = condition.withoutJoins(largest: largestSet, many: manyJoins) ?? condition
                flat.formUnion(joins.closure(plain.joins))
                parts.conditions.append(plain.sql)
                continue
            }
            var cluster = Cluster(conditions: [condition], many: many, single: closure.subtracting(many))
            clusters.removeAll { other in
                guard !other.many.isDisjoint(with: cluster.many) else { return false }
                cluster.conditions = other.conditions + cluster.conditions
                cluster.many.formUnion(other.many)
                cluster.single.formUnion(other.single)
                return true
            }
            clusters.append(cluster)
        }

        for cluster in clusters {
            if cluster.many.isDisjoint(with: sortMany) {
                if cluster.conditions.count == 1,
                    let plain = cluster.conditions[0].withoutJoins(largest: largestSet, many: manyJoins)
                {
                    flat.formUnion(joins.closure(plain.joins))
                    parts.conditions.append(plain.sql)
                    continue
                }
                flat.formUnion(cluster.single)
                let inner = sql(of: cluster.many)
                let test = cluster.conditions.map(\.sql).joined(separator: " AND ")
                parts.conditions.append("EXISTS (SELECT 1 FROM \(raw: SQLiteDialect.oneRow)\(inner) WHERE \(test))")
            } else {
                flat.formUnion(cluster.many.union(cluster.single))
                parts.conditions += cluster.conditions.map(\.sql)
            }
        }
        parts.joins = sql(of: flat)
        parts.isDistinct = flat.contains(where: joins.isMany)
        return parts
    }

    private func manyJoins(_ set: Set<Int>) -> Set<Int> { joins.closure(set).filter(joins.isMany) }

    /// In the order in which they were made, in which each comes after what it hangs on.
    private func sql(of set: Set<Int>) -> SQLText {
        var result = SQLText(raw: "")
        for join in set.sorted() {
            result.text += " "
            result += joins.joins[join].sql
        }
        return result
    }
}
