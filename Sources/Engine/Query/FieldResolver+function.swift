/// Functions that a filter may call.
extension FieldResolver {
    mutating func call(_ name: String, _ arguments: [FilterOperand]) throws(QueryError) -> Operand {
        switch name {
        case "geoDistance": return try geoDistance(arguments)
        case "strftime": return try strftime(arguments)
        default: throw QueryError("unknown function \(name)")
        }
    }

    /// `geoDistance(lonA, latA, lonB, latB)`: kilometres between two points. Of many values one is enough.
    private mutating func geoDistance(_ arguments: [FilterOperand]) throws(QueryError) -> Operand {
        guard arguments.count == 4 else { throw QueryError("geoDistance takes four arguments") }
        var operands: [Operand] = []
        for argument in arguments {
            switch argument {
            case .identifier, .number, .literal(_, isText: false, _): operands.append(try operand(argument))
            case .text, .function, .literal: throw QueryError("geoDistance takes names and numbers")
            }
        }
        let sql = operands.map(\.sql)
        var result = Operand(SQLiteDialect.distance(sql[0], sql[1], sql[2], sql[3]))
        result.nullHandling = .distinct
        return merge(operands, into: result)
    }

    /// `strftime(format, time, modifier, …)`: SQLite's function; what it cannot make of its arguments is empty.
    private mutating func strftime(_ arguments: [FilterOperand]) throws(QueryError) -> Operand {
        guard (1...10).contains(arguments.count) else { throw QueryError("strftime takes one to ten arguments") }
        var operands: [Operand] = []
        for (position, argument) in arguments.enumerated() {
            switch argument {
            case .text, .literal(_, isText: true, _): break
            case .identifier, .number, .literal:
                guard position == 1 else { throw QueryError("strftime takes texts") }
            case .function: throw QueryError("strftime takes no function")
            }
            operands.append(try operand(argument))
        }
        var parts = operands.map(\.sql)
        var result = Operand(SQLiteDialect.formatTime(parts))
        result.nullHandling = .equal
        if operands.count > 1, var values = operands[1].values {
            parts[1] = values.value
            values.value = SQLiteDialect.formatTime(parts)
            result.values = values
        }
        return merge(operands, into: result)
    }

    private func merge(_ operands: [Operand], into result: Operand) -> Operand {
        var result = result
        var hasEmpty = false
        for operand in operands {
            if case .emptyParameter = operand.knowledge { hasEmpty = true }
            result.joins.formUnion(operand.joins)
            if operand.hasParameters { result.hasParameters = true }
            if operand.isRequestList { result.isRequestList = true }
            if let condition = operand.condition {
                result.condition = result.condition.map { "\($0) AND \(condition)" } ?? condition
            }
        }
        if result.hasParameters, !hasEmpty { result.knowledge = .filledParameter }
        return result
    }
}
