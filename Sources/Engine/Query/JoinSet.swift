/// The joins that the paths of one query need. Equal paths share a join, so that two conditions on a path are about the
/// same related row.
struct JoinSet {
    struct Join {
        var alias: String
        /// A table's name or a table function.
        var source: SQLText
        var on: SQLText?
        /// The join itself and those that it hangs on.
        var chain: Set<Int>
        /// Whether a row may find several partners.
        var multiplies: Bool

        var sql: SQLText {
            let target: SQLText = "LEFT JOIN \(source) \(name: alias)"
            guard let on else { return target }
            return "\(target) ON \(on)"
        }
    }

    private(set) var joins: [Join] = []
    private var positions: [String: Int] = [:]
    private var aliasCount = 0

    /// Rules of collections that a client's filter reaches into, with the join that each is about.
    private(set) var listRules: [(collection: Collection, join: Int)] = []

    /// The table that the query is about.
    static let baseAlias = "@0"

    /// A name that no other table of the query has. Names of collections never begin with `@`.
    mutating func newAlias() -> String {
        aliasCount += 1
        return "@\(aliasCount)"
    }

    /// The join of a path, made when the path is new.
    /// - Parameters:
    ///   - key: the path, unique in the query.
    ///   - parent: the join that it hangs on; nil for the query's own table.
    ///   - make: makes source and condition, given the alias.
    mutating func join(
        _ key: String, on parent: Int?, multiplies: Bool, _ make: (String) -> (source: SQLText, on: SQLText?)
    ) -> Int {
        if let position = positions[key] { return position }
        let alias = newAlias()
        let (source, on) = make(alias)
        let position = joins.count
        var chain = parent.map { joins[$0].chain } ?? []
        chain.insert(position)
        joins.append(Join(alias: alias, source: source, on: on, chain: chain, multiplies: multiplies))
        positions[key] = position
        return position
    }

    mutating func requireListRule(of collection: Collection, for join: Int) {
        if !listRules.contains(where: { $0.join == join }) { listRules.append((collection, join)) }
    }

    /// Whether a row may find several partners on the way to this join.
    func isMany(_ join: Int) -> Bool { joins[join].chain.contains { joins[$0].multiplies } }

    /// The joins with all that they hang on.
    func closure(_ set: Set<Int>) -> Set<Int> { set.reduce(into: []) { $0.formUnion(joins[$1].chain) } }
}
