import Store

/// `@request.…`: values of the request, and paths that begin with the signed-in record or with relations in the body.
extension FieldResolver {
    /// Fields of the signed-in record that are taken from the record at hand, without a join.
    private static let plainAuthFields: Set<String> = [
        "id", "collectionId", "collectionName", "email", "emailVisibility", "verified",
    ]

    mutating func resolveRequest(_ name: String, _ parts: [String]) throws(QueryError) -> Operand {
        switch parts[1] {
        case "context": return try resolveValue(.context, of: nil, modifier: nil)
        case "method": return try resolveValue(.method, of: nil, modifier: nil)
        case "auth": return try resolveAuth(parts)
        case "body": return try resolveBody(parts)
        case "query", "headers":
            var keys = Array(parts[2...])
            let (last, modifier) = try FieldModifierName.split(keys.removeLast())
            keys.append(last)
            guard keys.count == 1 else { return try resolveValue(.nothing, of: last, modifier: modifier) }
            return try resolveValue(parts[1] == "query" ? .query(last) : .header(last), of: last, modifier: modifier)
        default: throw QueryError("failed to resolve field \(QueryError.quote(name))")
        }
    }

    /// A single value of the request as a parameter.
    /// - Parameter name: the last part of its path: a text under the name of a number field is taken as a number.
    private mutating func resolveValue(
        _ reference: RequestReference, of name: String?, modifier: FieldModifierName?
    ) throws(QueryError) -> Operand {
        let found = reference.find(in: request)
        if modifier == .isset {
            if reference != .nothing { require(.isSet(reference, found != .nothing)) }
            return .word(found != .nothing)
        }
        if let modifier, modifier != .lower {
            throw QueryError("invalid modifier sequence \(name ?? ""):\(modifier.rawValue)")
        }
        let fill = PlanGuard.fill(of: found)
        if reference != .nothing { require(.fill(reference, fill)) }
        guard fill != .null else { return .null }
        let isNumeric = name.flatMap { base.field(named: $0) }?.shape.form == .number
        let parameter = PlanParameter.request(reference, isPattern: false, isNumeric: isNumeric)
        var operand = Operand.parameter(parameter, isEmpty: fill == .empty)
        if modifier == .lower { operand.sql = SQLiteDialect.lower(operand.sql) }
        return operand
    }

    private mutating func resolveAuth(_ parts: [String]) throws(QueryError) -> Operand {
        require(.auth(collectionID: request.auth?.collection.id))
        guard let auth = request.auth else { return .null }
        if parts.count == 3, Self.plainAuthFields.contains(parts[2]) {
            return try resolveValue(.auth(parts[2]), of: parts[2], modifier: nil)
        }
        // The schema's collection is the newer one, should the record have been loaded before a change.
        let collection = schema.collection(id: auth.collection.id) ?? auth.collection
        let id = PlanParameter.request(.auth("id"), isPattern: false, isNumeric: false)
        let join = joins.join("\(joinPrefix)@auth", on: nil, multiplies: false) { alias in
            ("\(name: collection.name)", "\(name: alias).\"id\" = \(id)")
        }
        try checkAccess(to: collection, join: join)
        var many = startOfMany()
        let alias = joins.newAlias()
        many.join(alias, "\(name: collection.name)", on: "\(name: alias).\"id\" = \(id)")
        var path = RecordPath(collection: collection, join: join, isDraft: false, isLenient: true, many: many)
        return try resolve(parts[2...], on: &path)
    }

    private mutating func resolveBody(_ parts: [String]) throws(QueryError) -> Operand {
        let (name, modifier) = try FieldModifierName.split(parts[2])
        guard let field = base.field(named: name) else { return try resolveBodyValue(parts, isDocument: false) }
        if parts.count > 3, let relation = field.shape.relation {
            return try resolveBodyRelation(field, relation, parts)
        }
        if parts.count == 3 {
            switch modifier {
            case .each: return try resolveBodyMembers(field)
            case .length:
                guard field.isListLike else { throw Self.single(field) }
                let count = request.bodyMembers(name).count
                require(.bodyCount(name, count))
                var operand = Operand(SQLText(raw: String(count)))
                if count <= 1 { operand.knowledge = .truth }
                return operand
            case .lower:
                let reference = RequestReference.body(name, path: [], isDocument: field.isFreeJSON)
                let fill = PlanGuard.fill(of: reference.find(in: request))
                require(.fill(reference, fill))
                if fill == .null {
                    var operand = Operand.parameter(.constant(.text("")), isEmpty: true)
                    operand.sql = SQLiteDialect.lower(operand.sql)
                    return operand
                }
                var operand = Operand.parameter(
                    .request(reference, isPattern: false, isNumeric: false), isEmpty: fill == .empty)
                operand.sql = SQLiteDialect.lower(operand.sql)
                return operand
            case .changed: return try resolveChanged(name)
            case .isset, nil: break
            }
        }
        return try resolveBodyValue(parts, isDocument: field.isFreeJSON)
    }

    private mutating func resolveBodyValue(_ parts: [String], isDocument: Bool) throws(QueryError) -> Operand {
        var keys = Array(parts[2...])
        let (last, modifier) = try FieldModifierName.split(keys.removeLast())
        keys.append(last)
        let reference = RequestReference.body(
            keys[0], path: Array(keys.dropFirst()), isDocument: isDocument && keys.count == 1)
        return try resolveValue(reference, of: last, modifier: modifier)
    }

    /// `@request.body.field:changed`: whether the body has the field, with another value than the record.
    private mutating func resolveChanged(_ name: String) throws(QueryError) -> Operand {
        let body = "@request.body.\(name)"
        let condition = try condition(
            for: .all([
                .comparison(.identifier(body + ":isset"), FilterOperator(.equal), .identifier("true")),
                .comparison(.identifier(body), FilterOperator(.notEqual), .identifier(name)),
            ]))
        var operand = Operand("(\(condition.sql))")
        operand.nullHandling = .distinct
        operand.joins = condition.joins
        return operand
    }

    private static func single(_ field: Field) -> QueryError {
        QueryError("field \(QueryError.quote(field.name)) doesn't support multivalue operations")
    }

    /// `@request.body.field:each`: the members of the body's value.
    private mutating func resolveBodyMembers(_ field: Field) throws(QueryError) -> Operand {
        guard field.isListLike else { throw Self.single(field) }
        let source = SQLiteDialect.members(of: .bodyMembers(field.name))
        let join = joins.join("\(joinPrefix)@body.\(field.name):each", on: nil, multiplies: true) { _ in (source, nil) }
        var operand = Operand("\(name: joins.joins[join].alias).\"value\"")
        operand.knowledge = .filledParameter
        operand.hasParameters = true
        operand.isRequestList = true
        operand.joins = [join]
        if field.shape.isMultiple {
            var many = startOfMany()
            let alias = joins.newAlias()
            many.join(alias, source, on: nil)
            many.isMany = true
            operand.values = many.values("\(name: alias).\"value\"")
        }
        return operand
    }

    /// `@request.body.relation.field`: the records that the body's relation names.
    private mutating func resolveBodyRelation(
        _ field: Field, _ relation: FieldShape.Relation, _ parts: [String]
    ) throws(QueryError) -> Operand {
        guard let target = collection(relation.collectionID) else {
            throw QueryError(
                "failed to load collection \(QueryError.quote(relation.collectionID)) from data field \(QueryError.quote(field.name))"
            )
        }
        let count = min(2, request.bodyIDs(field.name).count)
        require(.idCount(field.name, count))
        guard count > 0 else { return .null }
        func condition(_ alias: String) -> SQLText {
            let members = SQLiteDialect.members(of: .bodyIDs(field.name))
            return "\(name: alias).\"id\" IN (SELECT \"value\" FROM \(members))"
        }
        let join = joins.join(
            "\(joinPrefix)@body.\(field.name)", on: nil, multiplies: count > 1 || target.isView
        ) { alias in ("\(name: target.name)", condition(alias)) }
        try checkAccess(to: target, join: join)
        var many = startOfMany()
        let alias = joins.newAlias()
        many.join(alias, "\(name: target.name)", on: condition(alias))
        many.isMany = field.shape.isMultiple
        var path = RecordPath(collection: target, join: join, isDraft: false, isLenient: true, many: many)
        return try resolve(parts[3...], on: &path)
    }
}
