/// The way from a row to the values that a path leads to, kept so that it can be written as conditions inside
/// conditions: each related table is searched once for the whole query and asked for membership from then on, instead
/// of being joined to every row again.
struct RelationRoute {
    enum Step {
        /// To the record whose id is in a column.
        case single(column: String, table: String)
        /// To the records whose ids are in a column's list.
        case members(column: SQLColumn, table: String)
        /// To the records whose column names this one.
        case back(column: String, table: String)
        /// To the records whose list names this one.
        case backMembers(column: SQLColumn, table: String)
        /// To the members of a column's list, the last step.
        case each(column: SQLColumn)
    }

    /// A column with a list, and whether it is known to hold an array and nothing else.
    struct SQLColumn {
        var name: String
        var isArray: Bool

        func members(of alias: String) -> SQLText {
            let column: SQLText = "\(name: alias).\(name: name)"
            return isArray ? SQLiteDialect.arrayMembers(of: column) : SQLiteDialect.members(of: column)
        }
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
    ///   - test: a test of the last row, given its alias.
    func exists(_ newAlias: () -> String, _ test: (String) -> SQLText) -> SQLText {
        Self.exists(steps[...], from: start, newAlias, test)
    }

    private static func exists(
        _ steps: ArraySlice<Step>, from alias: String, _ newAlias: () -> String, _ test: (String) -> SQLText
    ) -> SQLText {
        guard let step = steps.first else { return test(alias) }
        let next = newAlias()
        let rest = steps.dropFirst()
        switch step {
        case .single(let column, let table):
            let inner = exists(rest, from: next, newAlias, test)
            return """
                \(name: alias).\(name: column) IN (SELECT \(name: next).\"id\" FROM \(name: table) \(name: next) \
                WHERE \(inner))
                """
        case .members(let column, let table):
            let members = newAlias()
            let inner = exists(rest, from: next, newAlias, test)
            return """
                EXISTS (SELECT 1 FROM \(column.members(of: alias)) \(name: members) WHERE \(name: members).\"value\" \
                IN (SELECT \(name: next).\"id\" FROM \(name: table) \(name: next) WHERE \(inner)))
                """
        case .back(let column, let table):
            let inner = exists(rest, from: next, newAlias, test)
            return """
                \(name: alias).\"id\" IN (SELECT \(name: next).\(name: column) FROM \(name: table) \(name: next) \
                WHERE \(inner))
                """
        case .backMembers(let column, let table):
            let members = newAlias()
            let inner = exists(rest, from: next, newAlias, test)
            return """
                \(name: alias).\"id\" IN (SELECT \(name: members).\"value\" FROM \(name: table) \(name: next), \
                \(column.members(of: next)) \(name: members) WHERE \(inner))
                """
        case .each(let column):
            return "EXISTS (SELECT 1 FROM \(column.members(of: alias)) \(name: next) WHERE \(test(next)))"
        }
    }
}

extension Collection {
    /// Whether an index begins with a column.
    func hasIndex(on column: String) -> Bool {
        indexes.contains { IndexDefinition($0).columns.first?.name.lowercased() == column.lowercased() }
    }
}
