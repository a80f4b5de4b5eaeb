/// The way from a row to the values that a path leads to, kept so that it can be written as conditions inside
/// conditions: each related table is searched once for the whole query and asked for membership from then on, instead
/// of being joined to every row again.
struct RelationRoute {
    enum Step {
        /// To the record whose id is in a column.
        case single(column: String, table: String)
        /// To the records whose ids are in a column's list.
        case members(column: String, table: String)
        /// To the records whose column names this one.
        case back(column: String, table: String)
        /// To the records whose list names this one.
        case backMembers(column: String, table: String)
        /// To the members of a column's list, the last step.
        case each(column: String)
    }

    /// The alias of the row that it starts from.
    var start: String
    var steps: [Step] = []
    /// Rows of the largest table on the way: what the search for members costs. Nil when one of them has no known size.
    var cost: Int? = 0

    mutating func add(_ step: Step, rows: Int?) {
        steps.append(step)
        cost = cost.flatMap { cost in rows.map { max(cost, $0) } }
    }

    /// That one of the values meets a test. A row that leads nowhere does not.
    /// - Parameters:
    ///   - newAlias: makes names that no other table of the query has.
    ///   - member: what the test is for members that are texts, where it asks no more than that.
    ///   - test: a test of the last row, given its alias.
    func exists(_ newAlias: () -> String, member: Member? = nil, _ test: (String) -> SQLText) -> SQLText {
        Self.exists(steps[...], from: start, newAlias, member, test)
    }

    /// That a member is equal to a value, or is another.
    struct Member {
        var value: SQLText
        var isNegated: Bool
    }

    private static func list(of column: String, _ alias: String) -> SQLText {
        SQLiteDialect.members(of: "\(name: alias).\(name: column)")
    }

    private static func exists(
        _ steps: ArraySlice<Step>, from alias: String, _ newAlias: () -> String, _ member: Member?,
        _ test: (String) -> SQLText
    ) -> SQLText {
        guard let step = steps.first else { return test(alias) }
        let next = newAlias()
        let rest = steps.dropFirst()
        switch step {
        case .single(let column, let table):
            let inner = exists(rest, from: next, newAlias, member, test)
            return """
                \(name: alias).\(name: column) IN (SELECT \(name: next).\"id\" FROM \(name: table) \(name: next) \
                WHERE \(inner))
                """
        case .members(let column, let table):
            let members = newAlias()
            let inner = exists(rest, from: next, newAlias, member, test)
            return """
                EXISTS (SELECT 1 FROM \(list(of: column, alias)) \(name: members) WHERE \(name: members).\"value\" \
                IN (SELECT \(name: next).\"id\" FROM \(name: table) \(name: next) WHERE \(inner)))
                """
        case .back(let column, let table):
            let inner = exists(rest, from: next, newAlias, member, test)
            return """
                \(name: alias).\"id\" IN (SELECT \(name: next).\(name: column) FROM \(name: table) \(name: next) \
                WHERE \(inner))
                """
        case .backMembers(let column, let table):
            let members = newAlias()
            let inner = exists(rest, from: next, newAlias, member, test)
            return """
                \(name: alias).\"id\" IN (SELECT \(name: members).\"value\" FROM \(name: table) \(name: next), \
                \(list(of: column, next)) \(name: members) WHERE \(inner))
                """
        case .each(let column):
            let plain: SQLText =
                "EXISTS (SELECT 1 FROM \(list(of: column, alias)) \(name: next) WHERE \(test(next)))"
            guard let member else { return plain }
            return SQLiteDialect.hasMember(
                "\(name: alias).\(name: column)", equalTo: member.value, isNegated: member.isNegated, otherwise: plain)
        }
    }
}

extension Collection {
    /// Whether an index begins with a column.
    func hasIndex(on column: String) -> Bool {
        indexes.contains { IndexDefinition($0).columns.first?.name.lowercased() == column.lowercased() }
    }

    /// Whether an index begins with a column whatever the case of its letters.
    func hasIndexWithoutCase(on column: String) -> Bool {
        indexes.contains { index in
            guard let first = IndexDefinition(index).columns.first else { return false }
            return first.name.lowercased() == column.lowercased() && first.collation.lowercased() == "nocase"
        }
    }
}
