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
        var plan = assemble(planner, guards: resolver.guards)
        plan.fields = resolver.fields
        return plan
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
        let operand = try resolver.resolve(key.name).keyed(for: .order)
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
        let conditions = parts.conditions.joined(separator: " AND ")
        /// The conditions after another one.
        let rest: SQLText = parts.conditions.isEmpty ? "" : " AND \(conditions)"
        let from: SQLText = "FROM \(table)\(parts.joins)"
        var sql: SQLText
        var sorted: SQLText?
        var whole: (sql: SQLText, sorted: SQLText?)?
        var count: SQLText?
        switch key.kind {
        case .list:
            sql = page(planner, parts, columns)
            sorted = sortedPage(planner, parts, columns)
            // A page that is counted too goes over all rows anyway.
            let largestSet = planner.largestSet(forAllRows: true)
            let all = planner.plan(withSorts: true, largestSet: largestSet)
            if all.conditions != parts.conditions {
                whole = (page(planner, all, columns), sortedPage(planner, all, columns))
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
                SELECT \(parts.isDistinct ? "DISTINCT " : "")\(columns) FROM \(ids) CROSS JOIN \(table)\(parts.joins) \
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
            sql: sql.text, parameters: sql.parameters, sortedSQL: sorted?.text,
            whole: whole.map { .init(sql: $0.sql.text, sortedSQL: $0.sorted?.text, parameters: $0.sql.parameters) },
            hasConditions: !parts.conditions.isEmpty, countSQL: count?.text,
            countParameters: count?.parameters ?? [], rowsSQL: sorted.map { _ in rows(columns) },
            isSteady: key.kind == .list && sql.isSteady(in: schema), guards: guards)
    }

    private func page(_ planner: QueryPlanner, _ parts: QueryPlanner.Parts, _ columns: SQLText) -> SQLText {
        let base = JoinSet.baseAlias
        var tail: SQLText = ""
        if !planner.sorts.isEmpty {
            tail += " ORDER BY \(planner.sorts.map(\.sql).joined(separator: ", "))"
        } else if !planner.joins.joins.isEmpty, !collection.isView {
            // PocketBase removes the duplicates of its joins along the primary key, and so answers in its order.
            tail += " ORDER BY \(name: base).\"id\""
        }
        return """
            SELECT \(parts.isDistinct ? "DISTINCT " : "")\(columns) FROM \(name: collection.name) \(name: base)\
            \(parts.joins)\(parts.filter)\(tail) LIMIT \(.extra(0)) OFFSET \(.extra(1))
            """
    }

    /// The page where no index has its order. Has the parameters of `page`, in the same order.
    private func sortedPage(_ planner: QueryPlanner, _ parts: QueryPlanner.Parts, _ columns: SQLText) -> SQLText? {
        guard !planner.sorts.isEmpty, !parts.isDistinct, !collection.isView else { return nil }
        let base = JoinSet.baseAlias
        let table: SQLText = "\(name: collection.name) \(name: base)"
        // The keys of each row are made before it is known whether the row comes onto the page. As the first of them, the
        // counter also keeps SQLite from an index that would end the search early.
        let keys = (parts.conditions.isEmpty ? [] : [SQLText(raw: SQLiteDialect.counted)]) + planner.sorts.map(\.sql)
        return """
            SELECT \(columns), "@rows"."@row" FROM (SELECT \(SQLiteDialect.rowID(of: base)) AS "@row" FROM \(table)\(parts.joins)\
            \(parts.filter) ORDER BY \(keys.joined(separator: ", ")) LIMIT \(.extra(0)) OFFSET \(.extra(1))) "@rows" \
            CROSS JOIN \(table) ON \(SQLiteDialect.rowID(of: base)) = "@rows"."@row"
            """
    }

    /// The records of known row numbers, in their order.
    private func rows(_ columns: SQLText) -> String {
        let base = JoinSet.baseAlias
        let text: SQLText = """
            SELECT \(columns) FROM json_each(?) "@rows" CROSS JOIN \(name: collection.name) \(name: base) \
            ON \(SQLiteDialect.rowID(of: base)) = "@rows"."value"
            """
        return text.text
    }
}
