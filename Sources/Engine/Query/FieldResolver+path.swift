/// Paths through records: fields, relations, back relations, values inside JSON.
extension FieldResolver {
    func alias(of path: RecordPath) -> String {
        path.join.map { joins.joins[$0].alias } ?? JoinSet.baseAlias
    }

    /// Follows the parts of a path from where it has got to.
    mutating func resolve(_ parts: ArraySlice<String>, on path: inout RecordPath) throws(QueryError) -> Operand {
        guard let last = parts.last else { throw QueryError("empty path") }
        for (depth, part) in parts.dropLast().enumerated() {
            let field = path.collection.field(named: part)
            if let field, field.hidden, !allowsHidden {
                throw QueryError("non-filterable field \(QueryError.quote(part))")
            }
            if let field, field.shape.form == .json {
                return try resolveJSON(field, parts[(parts.startIndex + depth + 1)...], path)
            }
            guard depth < QueryLimits.relations else {
                throw QueryError("max nested relations reached for field \(QueryError.quote(part))")
            }
            guard let field else {
                guard try followBack(part, on: &path) else { return .null }
                continue
            }
            guard let relation = field.shape.relation else {
                throw QueryError("field \(QueryError.quote(part)) is not a valid relation")
            }
            guard let target = collection(relation.collectionID) else {
                throw QueryError("failed to load field \(QueryError.quote(part)) collection")
            }
            // "author.id" is what "author" holds: no need to look at the author.
            if !field.shape.isMultiple, depth == parts.count - 2, last == "id" {
                return try resolveField(field.name, path)
            }
            try follow(field, to: target, on: &path)
        }
        return try resolveField(last, path)
    }

    /// Goes on to the record that a relation names.
    private mutating func follow(
        _ field: Field, to target: Collection, on path: inout RecordPath
    ) throws(QueryError) {
        let key = "\(joinPrefix)\(path.join.map(String.init) ?? "").\(field.name)"
        let column: SQLText = "\(name: alias(of: path)).\(name: field.name)"
        let manyColumn: SQLText = "\(name: path.many.alias).\(name: field.name)"
        let table: SQLText = "\(name: target.name)"
        // A view may have an id twice; a table cannot.
        let join: Int
        if field.shape.isMultiple {
            let members = joins.join(key + "[]", on: path.join, multiplies: true) { _ in
                (SQLiteDialect.members(of: column), nil)
            }
            let membersAlias = joins.joins[members].alias
            join = joins.join(key, on: members, multiplies: target.isView) { alias in
                (table, "\(name: alias).\"id\" = \(name: membersAlias).\"value\"")
            }
            path.many.isMany = true
            let manyMembers = joins.newAlias()
            path.many.join(manyMembers, SQLiteDialect.members(of: manyColumn), on: nil)
            let many = joins.newAlias()
            path.many.join(many, table, on: "\(name: many).\"id\" = \(name: manyMembers).\"value\"")
        } else {
            join = joins.join(key, on: path.join, multiplies: target.isView) { alias in
                (table, "\(name: alias).\"id\" = \(column)")
            }
            let many = joins.newAlias()
            path.many.join(many, table, on: "\(name: many).\"id\" = \(manyColumn)")
        }
        try checkAccess(to: target, join: join)
        path.route?.add(
            field.shape.isMultiple
                ? .members(column: field.name, table: target.name)
                : .single(column: field.name, table: target.name),
            rows: rows?(target))
        path.collection = target
        path.join = join
        path.isDraft = false
    }

    /// Goes on to the records that name this one: `comments_via_post`.
    /// - Returns: false when there is no such relation and the path may end in NULL.
    private mutating func followBack(_ part: String, on path: inout RecordPath) throws(QueryError) -> Bool {
        guard let (name, fieldName) = Self.splitBackRelation(part) else {
            if path.isLenient { return false }
            throw QueryError("failed to resolve field \(QueryError.quote(part))")
        }
        guard let collection = collection(name) else {
            if path.isLenient { return false }
            throw QueryError("failed to load back relation field \(QueryError.quote(part)) collection")
        }
        guard let field = collection.field(named: fieldName), let relation = field.shape.relation else {
            if path.isLenient { return false }
            let problem = collection.field(named: fieldName) == nil ? "missing" : "invalid"
            throw QueryError("\(problem) back relation field \(QueryError.quote(fieldName))")
        }
        if field.hidden, !allowsHidden {
            throw QueryError("non-filterable back relation field \(QueryError.quote(fieldName))")
        }
        guard relation.collectionID == path.collection.id, !path.isDraft else {
            if path.isLenient { return false }
            throw QueryError("invalid collection reference of a back relation field \(QueryError.quote(fieldName))")
        }
        let unique = IndexDefinition.uniqueIndex(on: field.name, in: collection.indexes)
        let isMultiple = field.shape.isMultiple
        func condition(_ alias: String, _ owner: String, _ members: String) -> SQLText {
            let column: SQLText = "\(name: alias).\(name: field.name)"
            guard isMultiple else { return "\(column) = \(name: owner).\"id\"" }
            return """
                \(name: owner).\"id\" IN (SELECT \(name: members).\"value\" \
                FROM \(SQLiteDialect.members(of: column)) \(name: members))
                """
        }
        let owner = alias(of: path)
        let members = joins.newAlias()
        let multiplies = isMultiple || unique == nil || unique?.condition.isEmpty == false || collection.isView
        let join = joins.join(
            "\(joinPrefix)\(path.join.map(String.init) ?? "").\(part)", on: path.join, multiplies: multiplies
        ) { alias in ("\(name: collection.name)", condition(alias, owner, members)) }
        try checkAccess(to: collection, join: join)
        if isMultiple || unique == nil { path.many.isMany = true }
        let many = joins.newAlias()
        path.many.join(
            many, "\(name: collection.name)", on: condition(many, path.many.alias, joins.newAlias()))
        path.route?.add(
            isMultiple
                ? .backMembers(column: field.name, table: collection.name)
                : .back(column: field.name, table: collection.name),
            rows: rows?(collection))
        path.collection = collection
        path.join = join
        path.isDraft = false
        return true
    }

    /// Splits `collection_via_field` at the last `_via_` that leaves something on both sides.
    static func splitBackRelation(_ part: String) -> (collection: String, field: String)? {
        let bytes = Array(part.utf8)
        let mark = Array("_via_".utf8)
        guard bytes.count > mark.count + 1, !bytes.contains(UInt8(ascii: ":")) else { return nil }
        for start in stride(from: bytes.count - mark.count - 1, through: 1, by: -1)
        where bytes[start..<(start + mark.count)].elementsEqual(mark) {
            return (
                String(decoding: bytes[..<start], as: UTF8.self),
                String(decoding: bytes[(start + mark.count)...], as: UTF8.self)
            )
        }
        return nil
    }

    private func resolveJSON(
        _ field: Field, _ keys: ArraySlice<String>, _ path: RecordPath
    ) throws(QueryError) -> Operand {
        var parts = keys.map { key in String(decoding: key.utf8.filter { $0 != UInt8(ascii: ":") }, as: UTF8.self) }
        // As in PocketBase, a first key that is empty stands for nothing before a position, and alone for the document.
        if parts.first == "", parts.count == 1 || Int(parts[1]) != nil { parts.removeFirst() }
        let clean = parts
        guard clean.allSatisfy({ !$0.isEmpty }) else { throw QueryError("empty part in the path of \(field.name)") }
        let column: SQLText = "\(name: alias(of: path)).\(name: field.name)"
        var operand = Operand(SQLiteDialect.extract(column, path: clean))
        operand.nullHandling = .distinct
        operand.joins = path.join.map { [$0] } ?? []
        operand.values = path.many.values(
            SQLiteDialect.extract("\(name: path.many.alias).\(name: field.name)", path: clean))
        operand.isNullWithoutRow = true
        operand.route = path.route.map { route in
            (route, { SQLiteDialect.extract("\(name: $0).\(name: field.name)", path: clean) })
        }
        return operand
    }

    /// The field at the end of a path, with its modifier.
    private mutating func resolveField(_ part: String, _ path: RecordPath) throws(QueryError) -> Operand {
        let (name, modifier) = try FieldModifierName.split(part)
        guard let field = path.collection.field(named: name) else {
            if path.isLenient { return .null }
            throw QueryError("unknown field \(QueryError.quote(name))")
        }
        if field.hidden, !allowsHidden { throw QueryError("non-filterable field \(QueryError.quote(name))") }
        let column: SQLText = "\(name: alias(of: path)).\(name: name)"
        let manyColumn: SQLText = "\(name: path.many.alias).\(name: name)"
        var operand = Operand(column)
        operand.joins = path.join.map { [$0] } ?? []

        let query = field.instance.query
        if let query, !fields.contains(where: { $0 === query }) { fields.append(query) }
        if modifier == .length, let query, query.counts {
            let form = field.shape.form
            operand.sql = SQLiteDialect.count(of: column, query, form)
            operand.values = path.many.values(SQLiteDialect.count(of: manyColumn, query, form))
            operand.route = path.route.map { route in
                (route, { SQLiteDialect.count(of: "\(name: $0).\(name: name)", query, form) })
            }
            return operand
        }
        if modifier == .length, field.isListLike {
            operand.sql = SQLiteDialect.count(of: column)
            operand.values = path.many.values(SQLiteDialect.count(of: manyColumn))
            operand.route = path.route.map { route in
                (route, { SQLiteDialect.count(of: "\(name: $0).\(name: name)") })
            }
            return operand
        }
        if modifier == .each, field.isListLike {
            // The same members that a path through the relation goes by: "tags:each" and "tags.name" are about one tag.
            let join = joins.join(
                "\(joinPrefix)\(path.join.map(String.init) ?? "").\(name)[]", on: path.join, multiplies: true
            ) { _ in (SQLiteDialect.members(of: column), nil) }
            operand.sql = "\(name: joins.joins[join].alias).\"value\""
            operand.joins = [join]
            var many = path.many
            if field.shape.isMultiple { many.isMany = true }
            let alias = joins.newAlias()
            many.join(alias, SQLiteDialect.members(of: manyColumn), on: nil)
            operand.values = many.values("\(name: alias).\"value\"")
            operand.isNullWithoutRow = true
            if var route = path.route {
                route.add(.each(column: name), rows: 0)
                operand.route = (route, { "\(name: $0).\"value\"" })
            }
            operand.queried = query.map { QueriedField($0, type: field.typeID, form: .text, operand) }
            return operand
        }

        if let query, modifier == nil {
            var stored = operand
            stored.values = path.many.values(manyColumn)
            stored.route = path.route.map { route in (route, { "\(name: $0).\(name: name)" }) }
            operand.queried = QueriedField(query, type: field.typeID, form: field.shape.form, stored)
        }
        var manyValue = manyColumn
        operand.isText = field.hasTextColumn && !path.isDraft
        operand.isKey = name == "id" && path.join == nil && !path.collection.isView
        if field.isFreeJSON {
            operand.nullHandling = .distinct
            operand.sql = SQLiteDialect.extract(column, path: [])
            manyValue = SQLiteDialect.extract(manyColumn, path: [])
            operand.isText = false
        }
        if modifier == .lower {
            operand.sql = SQLiteDialect.lower(operand.sql)
            manyValue = SQLiteDialect.lower(manyValue)
            operand.isKey = false
        }
        operand.values = path.many.values(manyValue)
        operand.isNullWithoutRow = true
        operand.ownColumn = path.join == nil && modifier == nil ? name : nil
        operand.hasIndexForPatterns = modifier == nil && path.collection.hasIndexWithoutCase(on: name)
        let isFreeJSON = field.isFreeJSON
        operand.route = path.route.map { route in
            let value: @Sendable (String) -> SQLText = { alias in
                let column: SQLText = "\(name: alias).\(name: name)"
                let value = isFreeJSON ? SQLiteDialect.extract(column, path: []) : column
                return modifier == .lower ? SQLiteDialect.lower(value) : value
            }
            return (route, value)
        }
        // An e-mail address is found only where its owner shows it.
        if name == "email", !allowsHidden, path.collection.isAuth {
            operand.condition = "\(name: alias(of: path)).\"emailVisibility\" = TRUE"
        }
        return operand
    }
}
