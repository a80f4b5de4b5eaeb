/// A field at the end of a path whose type has a say in how it is compared.
struct QueriedField {
    let query: any FieldQuery
    /// The id of the field's type.
    let type: String
    /// What the stored values are.
    let form: FieldShape.Form
    /// The stored value in SQL, all the values where the path leads to many, and the way to them.
    let sql: SQLText
    let values: ManyValues?
    let route: (way: RelationRoute, value: @Sendable (String) -> SQLText)?

    /// - Parameter stored: what gives the stored value as it is.
    init(_ query: any FieldQuery, type: String, form: FieldShape.Form, _ stored: Operand) {
        self.query = query
        self.type = type
        self.form = form
        sql = stored.sql
        values = stored.values
        route = stored.route
    }
}

extension Operand {
    /// The operand with its value put through a function, wherever it is taken from.
    private func mapped(_ function: @escaping @Sendable (SQLText) -> SQLText) -> Operand {
        var result = self
        result.sql = function(sql)
        result.values = values.map { ManyValues(source: $0.source, tie: $0.tie, value: function($0.value)) }
        result.route = route.map { route in (route.way, { function(route.value($0)) }) }
        result.isKey = false
        result.isText = false
        result.ownColumn = nil
        return result
    }

    /// The operand by its keys, when its type uses them for that; otherwise as it is.
    func keyed(for use: FieldKeyUses) -> Operand {
        guard let queried, queried.query.keyUses.contains(use) else { return self }
        var stored = self
        stored.sql = queried.sql
        stored.values = queried.values
        stored.route = queried.route
        stored.nullHandling = .automatic
        let (query, form) = (queried.query, queried.form)
        return stored.mapped { SQLiteDialect.key(of: $0, query, form) }
    }

    /// What a field is compared with: in the field's stored form, and by its key where the field is.
    func cast(for field: QueriedField, _ use: FieldKeyUses) -> Operand {
        let (query, form) = (field.query, field.form)
        var result = self
        if query.casts {
            // What the request wrote is refused when it makes no sense; what a row holds is equal to nothing else, and has
            // no place in the order.
            let failure: SQLiteDialect.CastFailure = isConstant ? .error : use == .equality ? .unchanged : .null
            result = result.mapped { SQLiteDialect.cast($0, for: query, otherwise: failure) }
        }
        if query.keyUses.contains(use) { result = result.mapped { SQLiteDialect.key(of: $0, query, form) } }
        return result
    }
}

extension FieldResolver {
    /// Both sides of a comparison as the types of their fields want them compared.
    static func asTypesWant(
        _ left: Operand, _ comparison: FilterOperator.Comparison, _ right: Operand
    ) -> (left: Operand, right: Operand) {
        let use: FieldKeyUses
        switch comparison {
        case .equal, .notEqual: use = .equality
        case .less, .lessOrEqual, .greater, .greaterOrEqual: use = .order
        case .like, .notLike: return (left, right)
        }
        switch (left.queried, right.queried) {
        case (nil, nil): return (left, right)
        case (let ours?, let theirs?) where ours.type == theirs.type:
            return (left.keyed(for: use), right.keyed(for: use))
        case (let field?, _):
            guard !right.isNothing else { return (left, nothing(right, use)) }
            return (left.keyed(for: use), right.cast(for: field, use))
        case (nil, let field?):
            guard !left.isNothing else { return (nothing(left, use), right) }
            return (left.cast(for: field, use), right.keyed(for: use))
        }
    }

    /// Nothing is equal to nothing, as everywhere; but it has no place in the order of a type.
    private static func nothing(_ operand: Operand, _ use: FieldKeyUses) -> Operand {
        use == .order ? .null : operand
    }
}

extension Operand {
    /// Whether it is known to be NULL or the empty text.
    fileprivate var isNothing: Bool {
        switch knowledge {
        case .null, .emptyParameter: true
        case .nothing, .truth, .filledParameter: false
        }
    }
}
