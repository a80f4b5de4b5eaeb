/// Functions that a filter may call.
extension FieldResolver {
    mutating func call(_ name: String, _ arguments: [FilterOperand]) throws(QueryError) -> Operand {
        switch name {
        case "geoDistance": return try geoDistance(arguments)
        case "strftime": return try strftime(arguments)
        default: throw QueryError("unknown function \(QueryError.quote(name))")
        }
    }

    /// `geoDistance(lonA, latA, lonB, latB)`: kilometres between two points. Of many values one is enough.
    private mutating func geoDistance(_ arguments: [FilterOperand]) throws(QueryError) -> Operand {
        guard arguments.count == 4 else {
            throw QueryError("[geoDistance] expected 4 arguments, got \(arguments.count)")
        }
        var operands: [Operand] = []
        for (position, argument) in arguments.enumerated() {
            switch argument {
            case .identifier, .number, .literal(_, isText: false, _):
                operands.append(try self.argument(argument, "[geoDistance] failed to resolve argument \(position)"))
            case .text, .function, .literal:
                throw QueryError("[geoDistance] argument \(position) must be an identifier or number")
            }
        }
        let sql = operands.map(\.sql)
        var result = Operand(SQLiteDialect.distance(sql[0], sql[1], sql[2], sql[3]))
        result.nullHandling = .distinct
        return merge(operands, into: result)
    }

    /// `strftime(format, time, modifier, …)`: SQLite's function; what it cannot make of its arguments is empty.
    private mutating func strftime(_ arguments: [FilterOperand]) throws(QueryError) -> Operand {
        guard !arguments.isEmpty else { throw QueryError("[strftime] expected at least 1 arguments, got 0") }
        guard arguments.count <= 10 else {
            throw QueryError("[strftime] too many arguments (max allowed 10, got \(arguments.count))")
        }
        var operands: [Operand] = []
        for (position, argument) in arguments.enumerated() {
            switch argument {
            case .text, .literal(_, isText: true, _): break
            case .identifier, .number, .literal:
                guard position == 1 else { throw Self.misplaced(position) }
            case .function: throw Self.misplaced(position)
            }
            operands.append(try self.argument(argument, "[strftime] failed to resolve time-value argument"))
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

    private mutating func argument(_ argument: FilterOperand, _ problem: String) throws(QueryError) -> Operand {
        do {
            return try operand(argument)
        } catch {
            throw QueryError("\(problem): \(error.reason)")
        }
    }

    /// An argument of `strftime` of a kind that does not belong at its place.
    private static func misplaced(_ position: Int) -> QueryError {
        switch position {
        case 0: QueryError("[strftime] expects the first argument to be a format string")
        case 1: QueryError("[strftime] expects the second argument to be of a valid time-value type")
        default: QueryError("[strftime] invalid modifier argument \(position - 2) - can be only string")
        }
    }

    /// What the arguments need comes with the result. The condition of an argument does not, as in PocketBase: only e-mail
    /// addresses have one, and no function makes anything but NULL of them.
    private func merge(_ operands: [Operand], into result: Operand) -> Operand {
        var result = result
        var hasEmpty = false
        for operand in operands {
            if case .emptyParameter = operand.knowledge { hasEmpty = true }
            result.joins.formUnion(operand.joins)
            if operand.hasParameters { result.hasParameters = true }
            if operand.isRequestList { result.isRequestList = true }
        }
        if result.hasParameters, !hasEmpty { result.knowledge = .filledParameter }
        return result
    }
}
