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
    }

    /// - Parameter withSorts: false for a query that only counts.
    func plan(withSorts: Bool) -> Parts {
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
            flat.formUnion(closure.subtracting(many))
            guard !many.isEmpty else {
                parts.conditions.append(condition.sql)
                continue
            }
            var cluster = Cluster(conditions: [condition], many: many)
            clusters.removeAll { other in
                guard !other.many.isDisjoint(with: cluster.many) else { return false }
                cluster.conditions = other.conditions + cluster.conditions
                cluster.many.formUnion(other.many)
                return true
            }
            clusters.append(cluster)
        }

        for cluster in clusters {
            if cluster.many.isDisjoint(with: sortMany) {
                let inner = sql(of: cluster.many)
                let test = cluster.conditions.map(\.sql).joined(separator: " AND ")
                parts.conditions.append("EXISTS (SELECT 1 FROM \(raw: SQLiteDialect.oneRow)\(inner) WHERE \(test))")
            } else {
                flat.formUnion(cluster.many)
                parts.conditions += cluster.conditions.map(\.sql)
            }
        }
        parts.joins = sql(of: flat)
        parts.isDistinct = flat.contains(where: joins.isMany)
        return parts
    }

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
