import Store

/// Makes a plan of a rule, a filter and a sort.
struct PlanBuilder {
    let key: PlanCache.Key
    let collection: Collection
    let schema: Schema
    let request: RequestInfo
    /// How many rows a table has, about.
    let rows: ((Collection) -> Int?)?

    func build() throws(QueryError) -> SelectPlan {
        var resolver = FieldResolver(
            schema: schema, request: request, base: collection, isDraft: key.kind == .create, allowsHidden: true)
        var knowsSizes = false
        if key.kind == .list, let rows {
            knowsSizes = true
            resolver.rows = rows
        }
        var conditions: [Condition] = []
        if let rule = key.rule {
            conditions.append(try resolver.condition(for: FilterExpression(parsing: rule).root))
        }
        resolver.allowsHidden = key.allowsHidden
        if let filter = key.filter { conditions.append(try resolver.condition(for: filter.root)) }
        var sorts: [(sql: SQLText, joins: Set<Int>)] = []
        if !key.sort.isEmpty {
            for sort in try SortExpression(parsing: key.sort).keys { sorts.append(try order(by: sort, &resolver)) }
        }
        for (collection, join) in resolver.joins.listRules {
            guard let rule = collection.rules.list, !rule.isEmpty else { continue }
            var inner = FieldResolver(resolver, listRuleOf: collection, join: join)
            // A path that leads nowhere must not fail the rest of the filter.
            let text = "id = '' || (\n\(rule)\n)"
            let limit = QueryLimits.comparisons
            conditions.append(try inner.condition(for: FilterExpression(parsing: text, limit: limit).root))
            resolver.absorb(inner)
        }
        let planner = QueryPlanner(
            joins: resolver.joins, conditions: conditions, sorts: sorts, rows: knowsSizes ? rows?(collection) : nil)
        // Tables grow: a plan that was made for their sizes is made again now and then.
        if knowsSizes, !resolver.joins.joins.isEmpty { resolver.require(.until(PlanGuard.seconds + 60)) }
        return assemble(planner, guards: resolver.guards)
    }

    private func order(
        by key: SortExpression.Key, _ resolver: inout FieldResolver
    ) throws(QueryError) -> (sql: SQLText, joins: Set<Int>) {
        let direction = key.isDescending ? " DESC" : " ASC"
        if key.name == "@random" { return (SQLText(raw: SQLiteDialect.random), []) }
        if key.name == "@rowid" {
            guard !collection.isView else { throw QueryError("a view has no @rowid") }
            return ("\(SQLiteDialect.rowID(of: JoinSet.baseAlias))\(raw: direction)", [])
        }
        let operand = try resolver.resolve(key.name)
        guard !operand.hasParameters, !operand.sql.text.utf8.contains(UInt8(ascii: "?")) else {
            throw QueryError("cannot sort by \(key.name)")
        }
        switch operand.knowledge {
        case .null, .emptyParameter, .filledParameter: throw QueryError("cannot sort by \(key.name)")
        // A bare number would be a column's position.
        case .truth: return ("NULL", [])
        case .nothing:
            guard !operand.sql.text.utf8.allSatisfy(FilterLexer.isDigit) else { return ("NULL", []) }
            return ("\(operand.sql)\(raw: direction)", operand.joins)
        }
    }

    private func assemble(_ planner: QueryPlanner, guards: [PlanGuard]) -> SelectPlan {
        let parts = planner.plan(withSorts: true, largestSet: planner.largestSet(forAllRows: false))
        let base = JoinSet.baseAlias
        let id: SQLText = "\(name: base).\"id\""
        let columns: SQLText =
            key.columns == .id
            ? id : collection.fields.map { "\(name: base).\(name: $0.name)" as SQLText }.joined(separator: ", ")
        let table: SQLText = "\(name: collection.name) \(name: base)"
        let distinct: SQLText = parts.isDistinct ? "DISTINCT " : ""
        let conditions = parts.conditions.joined(separator: " AND ")
        /// The conditions after another one.
        let rest: SQLText = parts.conditions.isEmpty ? "" : " AND \(conditions)"
        let from: SQLText = "FROM \(table)\(parts.joins)"
        var sql: SQLText
        var whole: SQLText?
        var count: SQLText?
        switch key.kind {
        case .list:
            var tail: SQLText = ""
            if !planner.sorts.isEmpty {
                tail += " ORDER BY \(planner.sorts.map(\.sql).joined(separator: ", "))"
            } else if !planner.joins.joins.isEmpty, !collection.isView {
                // PocketBase removes the duplicates of its joins along the primary key, and so answers in its order.
                tail += " ORDER BY \(id)"
            }
            tail += " LIMIT \(.extra(0)) OFFSET \(.extra(1))"
            sql = "SELECT \(distinct)\(columns) \(from)\(parts.filter)\(tail)"
            // A page that is counted too goes over all rows anyway.
            let largestSet = planner.largestSet(forAllRows: true)
            let all = planner.plan(withSorts: true, largestSet: largestSet)
            if all.conditions != parts.conditions {
                let distinct: SQLText = all.isDistinct ? "DISTINCT " : ""
                whole = "SELECT \(distinct)\(columns) FROM \(table)\(all.joins)\(all.filter)\(tail)"
            }
            let counted = planner.plan(withSorts: false, largestSet: largestSet)
            // Only a view may return a record twice.
            let what: SQLText = collection.isView ? "COUNT(DISTINCT \(id))" : "COUNT(*)"
            count = "SELECT \(what) FROM \(table)\(counted.joins)\(counted.filter)"
        case .one:
            sql = "SELECT \(columns) \(from) WHERE \(id) = \(.extra(0))\(rest) LIMIT 1"
        case .many:
            // The ids first: left to itself, SQLite reads the whole table where its statistics say that it is small.
            let ids: SQLText = "\(SQLiteDialect.members(of: .extra(0))) \"@ids\""
            sql = """
                SELECT \(distinct)\(columns) FROM \(ids) CROSS JOIN \(table)\(parts.joins) \
                WHERE \(id) = \"@ids\".\"value\"\(rest)
                """
        case .matches:
            sql = "SELECT 1 \(from) WHERE \(id) = \(.extra(0))\(rest) LIMIT 1"
        case .create:
            let values = collection.fields.enumerated().map { position, field in
                "\(.extra(position)) AS \(name: field.name)" as SQLText
            }
            sql = """
                WITH \(name: base) AS (SELECT \(values.joined(separator: ", "))) \
                SELECT 1 FROM \(name: base)\(parts.joins)\(parts.filter) LIMIT 1
                """
        }
        return SelectPlan(
            sql: sql.text, parameters: sql.parameters, whole: whole.map { ($0.text, $0.parameters) },
            hasConditions: !parts.conditions.isEmpty, countSQL: count?.text,
            countParameters: count?.parameters ?? [], guards: guards)
    }
}
