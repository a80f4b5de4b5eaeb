import Store

/// Comparisons as SQL.
extension FieldResolver {
    /// The condition that a filter's tree stands for.
    mutating func condition(for node: FilterExpression.Node) throws(QueryError) -> Condition {
        switch node {
        case .comparison(let left, let sign, let right):
            let (left, right) = Self.asTypesWant(
                try operand(left, "left"), sign.comparison, try operand(right, "right"))
            return try compare(left, sign, right)
        case .all(let nodes):
            return .all(try conditions(nodes))
        case .any(let nodes):
            return .any(try conditions(nodes))
        }
    }

    private mutating func conditions(_ nodes: [FilterExpression.Node]) throws(QueryError) -> [Condition] {
        var result: [Condition] = []
        result.reserveCapacity(nodes.count)
        for node in nodes { result.append(try condition(for: node)) }
        return result
    }

    private mutating func operand(_ operand: FilterOperand, _ side: String) throws(QueryError) -> Operand {
        do {
            return try self.operand(operand)
        } catch {
            throw QueryError("invalid \(side) operand \(QueryError.quote(operand.literal)) - \(error.reason)")
        }
    }

    mutating func operand(_ operand: FilterOperand) throws(QueryError) -> Operand {
        switch operand {
        case .text(let text): return .parameter(.constant(.text(text)), isEmpty: text.isEmpty)
        case .number(let number): return .parameter(.constant(.real(number)), isEmpty: false)
        case .literal(let position, _, let isEmpty):
            return .parameter(.literal(position, isPattern: false), isEmpty: isEmpty)
        case .function(let name, let arguments): return try call(name, arguments)
        case .identifier(let name):
            if let macro = FilterMacro(rawValue: name) {
                return .parameter(.macro(macro, isPattern: false), isEmpty: false)
            }
            do {
                return try resolve(name)
            } catch {
                // Fields of these names come first.
                switch name.lowercased() {
                case "null": return .null
                case "true": return .truth(true)
                case "false": return .truth(false)
                default: throw error
                }
            }
        }
    }

    private mutating func compare(_ left: Operand, _ sign: FilterOperator, _ right: Operand) throws(QueryError)
        -> Condition
    {
        if right.isRequestList, sign.comparison == .like || sign.comparison == .notLike {
            throw QueryError("a list of the request cannot be a pattern")
        }
        var sql = Self.test(left, sign.comparison, right, isStrict: !sign.matchesAny)
        for condition in [left.condition, right.condition] {
            if let condition { sql = "(\(sql) AND \(condition))" }
        }
        var traits = members(left, sign.comparison, right)
        if sign.comparison == .equal, let column = left.ownColumn ?? right.ownColumn,
            left.isConstant || right.isConstant
        {
            traits.one.isSelective = column == "id" || base.hasIndex(on: column)
        }
        let one = Condition.test(sql, joins: left.joins.union(right.joins), traits.one)
        guard !sign.matchesAny, let all = Self.agreement(left, sign.comparison, right) else { return one }
        // Agreement is about all the values, whichever row is at hand: it stands for itself, and first, because it
        // fails sooner.
        var joins: Set<Int> = []
        if left.values == nil { joins.formUnion(left.joins) }
        if right.values == nil { joins.formUnion(right.joins) }
        return .all([.test(all, joins: joins, traits.all), one])
    }

    /// How the comparison of a path's values with a constant can do without joins: that one of the values meets it, and
    /// that none fails it.
    private mutating func members(
        _ left: Operand, _ comparison: FilterOperator.Comparison, _ right: Operand
    ) -> (one: Condition.Traits, all: Condition.Traits) {
        let isLeft = right.isConstant
        let path = isLeft ? left : right
        guard isLeft || left.isConstant, let (way, value) = path.route, let cost = way.cost, !way.steps.isEmpty,
            path.condition == nil, left.condition == nil, right.condition == nil, path.isNullWithoutRow
        else { return (.init(), .init()) }
        func test(_ alias: String) -> SQLText {
            var operand = path
            operand.sql = value(alias)
            operand.isKey = false
            return isLeft
                ? Self.test(operand, comparison, right, isStrict: true)
                : Self.test(left, comparison, operand, isStrict: true)
        }
        // What a row that leads nowhere, whose value is NULL, makes of the test.
        let other = isLeft ? right : left
        let isFilled = other.isKnownFilled && other.nullHandling == .automatic && path.nullHandling == .automatic
        let rejectsNull: Bool
        let toleratesNull: Bool
        switch comparison {
        case .equal: (rejectsNull, toleratesNull) = (isFilled, isFilled)
        case .notEqual: (rejectsNull, toleratesNull) = (false, isFilled)
        case .like, .notLike, .less, .lessOrEqual, .greater, .greaterOrEqual:
            (rejectsNull, toleratesNull) = (true, true)
        }
        var one = Condition.Traits()
        var all = Condition.Traits()
        let isEquality = isFilled && (comparison == .equal || comparison == .notEqual)
        /// - Parameter fails: whether a member is looked for that fails the comparison.
        func member(fails: Bool) -> RelationRoute.Member? {
            isEquality ? .init(value: other.sql, isNegated: (comparison == .notEqual) != fails) : nil
        }
        if rejectsNull { one.members = (way.exists({ joins.newAlias() }, member: member(fails: false), test), cost) }
        if toleratesNull, path.values != nil {
            let failing = way.exists({ joins.newAlias() }, member: member(fails: true)) { "NOT (\(test($0)))" }
            // A NULL among the members leaves the question open, which is no failure.
            all.members = ("(\(failing)) IS NOT TRUE", cost)
        }
        return (one, all)
    }

    /// That no value which a path leads to fails the comparison.
    private static func agreement(
        _ left: Operand, _ comparison: FilterOperator.Comparison, _ right: Operand
    ) -> SQLText? {
        // The aliases need not be unique: nothing but the subquery's own value is named by them.
        func value(_ operand: Operand, _ alias: String) -> Operand {
            var result = Operand("\(name: alias).\"value\"")
            result.nullHandling = operand.nullHandling
            return result
        }
        func single(_ operand: Operand) -> Operand {
            var result = operand
            // What is known of the operand stays; how it takes NULL is the other side's matter here.
            result.nullHandling = .automatic
            result.isKey = false
            return result
        }
        switch (left.values, right.values) {
        case (nil, nil): return nil
        case (let leftValues?, let rightValues?):
            let test = test(value(left, "@left"), comparison, value(right, "@right"))
            return """
                NOT EXISTS (SELECT 1 FROM (\(leftValues.query())) "@left" \
                LEFT JOIN (\(rightValues.query())) "@right" WHERE NOT (\(test)))
                """
        case (let values?, nil):
            let test = test(value(left, "@left"), comparison, single(right))
            return "NOT EXISTS (SELECT 1 FROM (\(values.query())) \"@left\" WHERE NOT (\(test)))"
        case (nil, let values?):
            let test = test(single(left), comparison, value(right, "@right"))
            return "NOT EXISTS (SELECT 1 FROM (\(values.query())) \"@right\" WHERE NOT (\(test)))"
        }
    }

    /// - Parameter isStrict: whether all values must agree, so that the subquery of the other values comes too.
    private static func test(
        _ left: Operand, _ comparison: FilterOperator.Comparison, _ right: Operand, isStrict: Bool = false
    ) -> SQLText {
        switch comparison {
        case .equal: equality(left, right, isNegated: false)
        case .notEqual: equality(left, right, isNegated: true)
        case .like, .notLike:
            // The texts of a function over many values stay as they are: in PocketBase the subquery binds them again.
            SQLiteDialect.like(
                left.sql,
                right.hasParameters
                    ? isStrict && right.values != nil ? right.sql : right.sql.asPattern
                    : "('%' || \(right.sql) || '%')",
                isNegated: comparison == .notLike, hasIndex: left.hasIndexForPatterns)
        case .less: "\(left.sql) < \(right.sql)"
        case .lessOrEqual: "\(left.sql) <= \(right.sql)"
        case .greater: "\(left.sql) > \(right.sql)"
        case .greaterOrEqual: "\(left.sql) >= \(right.sql)"
        }
    }

    /// `=` and `!=`, for which NULL and the empty text are one, in a form that an index can serve where there is one.
    private static func equality(_ left: Operand, _ right: Operand, isNegated: Bool) -> SQLText {
        // "!=" is never written as such: compared with NULL it would be neither true nor false.
        if left.nullHandling == .distinct || right.nullHandling == .distinct {
            return SQLiteDialect.same(left.sql, right.sql, isNegated: isNegated)
        }
        func compare(_ a: SQLText, _ b: SQLText) -> SQLText {
            isNegated ? SQLiteDialect.same(a, b, isNegated: true) : "\(a) = \(b)"
        }
        func compareWithEmpty(_ other: SQLText) -> SQLText {
            isNegated ? "(\(other) IS NOT '' AND \(other) IS NOT NULL)" : "(\(other) = '' OR \(other) IS NULL)"
        }
        if left.isEmpty, right.isEmpty { return compare("''", "''") }
        if left.isKnownFilled || right.isKnownFilled {
            return compare(left.isEmpty ? "''" : left.sql, right.isEmpty ? "''" : right.sql)
        }
        if left.isEmpty { return compareWithEmpty(right.sql) }
        if right.isEmpty { return compareWithEmpty(left.sql) }
        // A record's own id is never empty, so the other column can be searched for it.
        if (left.isKey || right.isKey) && left.isText && right.isText {
            return compare(left.sql, right.sql)
        }
        return compare("COALESCE(\(left.sql), '')", "COALESCE(\(right.sql), '')")
    }
}
