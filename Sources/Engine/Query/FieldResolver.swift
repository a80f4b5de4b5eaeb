import Store

/// Finds what the names in a filter mean for one collection, and notes the joins and guards that they need.
struct FieldResolver {
    let schema: Schema
    let request: RequestInfo
    /// The collection whose fields plain names are.
    let base: Collection
    /// The join that stands for the collection, or nil when it is the query's own table.
    let baseJoin: Int?
    /// Whether the collection's table is a record that is not stored yet. Such a record has no relations back to it.
    let isDraft: Bool
    /// Whether hidden fields and collections without a list rule may be looked into.
    var allowsHidden: Bool
    /// Keeps the joins of a joined collection's list rule apart from those of the query.
    let joinPrefix: String

    /// How many rows a table has, about; nil where nobody counts.
    var rows: ((Collection) -> Int?)?

    var joins = JoinSet()
    private(set) var guards: [PlanGuard] = []
    /// The fields of plugins' types that have a say in how they are compared.
    var fields: [any FieldQuery] = []

    init(schema: Schema, request: RequestInfo, base: Collection, isDraft: Bool = false, allowsHidden: Bool) {
        self.schema = schema
        self.request = request
        self.base = base
        self.isDraft = isDraft
        self.allowsHidden = allowsHidden
        baseJoin = nil
        joinPrefix = ""
    }

    /// A resolver for the list rule of a collection that a join leads to; what it finds is merged by `absorb`.
    init(_ outer: FieldResolver, listRuleOf collection: Collection, join: Int) {
        schema = outer.schema
        request = outer.request
        base = collection
        isDraft = false
        allowsHidden = true
        baseJoin = join
        joinPrefix = "rule \(join):"
        rows = outer.rows
        joins = outer.joins
        guards = outer.guards
        fields = outer.fields
    }

    mutating func absorb(_ inner: FieldResolver) {
        joins = inner.joins
        guards = inner.guards
        fields = inner.fields
    }

    mutating func require(_ condition: PlanGuard) {
        if !guards.contains(condition) { guards.append(condition) }
    }

    /// A collection by name or id. The query's own is the one at hand, which need not be in the schema yet.
    func collection(_ nameOrID: String) -> Collection? {
        if !isDraft, nameOrID == base.id || nameOrID == base.name { return base }
        return schema.collection(nameOrID)
    }

    var baseAlias: String { baseJoin.map { joins.joins[$0].alias } ?? JoinSet.baseAlias }
    /// The table of the collection, for subqueries over it.
    var baseTable: SQLText { isDraft ? "\(name: JoinSet.baseAlias)" : "\(name: base.name)" }

    /// - Parameter name: an identifier as it stands in a filter or sort.
    /// - Throws: when it names nothing that the client may see.
    mutating func resolve(_ name: String) throws(QueryError) -> Operand {
        guard Self.isAllowed(name) else { throw QueryError("failed to resolve field \(QueryError.quote(name))") }
        let parts = name.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false).map {
            String(Substring($0))
        }
        switch parts[0] {
        case "@collection": return try resolveCollection(name, parts)
        case "@request": return try resolveRequest(name, parts)
        default:
            var path = RecordPath(
                collection: base, join: baseJoin, isDraft: isDraft, isLenient: false, many: startOfMany(),
                route: RelationRoute(start: baseAlias))
            return try resolve(parts[...], on: &path)
        }
    }

    /// The start of a subquery over all values of a path: the query's own row once more.
    mutating func startOfMany() -> RecordPath.Many {
        let alias = joins.newAlias()
        return RecordPath.Many(
            source: "\(baseTable) \(name: alias)", alias: alias,
            tie: "\(name: alias).\"id\" = \(name: baseAlias).\"id\"")
    }

    /// `@collection.NAME.field` or `@collection.NAME:alias.field`: any record of another collection.
    private mutating func resolveCollection(_ path: String, _ parts: [String]) throws(QueryError) -> Operand {
        guard parts.count >= 3 else { throw QueryError("invalid @collection field path in \(QueryError.quote(path))") }
        let names = parts[1].utf8.split(separator: UInt8(ascii: ":"), maxSplits: 1).map { String(Substring($0)) }
        guard let name = names.first, let collection = collection(name) else {
            throw QueryError(
                "failed to load collection \(QueryError.quote(parts[1])) from field path \(QueryError.quote(path))")
        }
        let alias = names.count == 2 ? names[1] : ""
        let join = joins.join("\(joinPrefix)@collection:\(collection.id):\(alias)", on: nil, multiplies: true) { _ in
            ("\(name: collection.name)", nil)
        }
        try checkAccess(to: collection, join: join)
        var many = startOfMany()
        many.join(joins.newAlias(), "\(name: collection.name)", on: nil)
        many.isMany = true
        var path = RecordPath(collection: collection, join: join, isDraft: false, isLenient: false, many: many)
        return try resolve(parts[2...], on: &path)
    }

    /// Notes that a client's filter reaches into a collection: its list rule must hold for what it finds there.
    mutating func checkAccess(to collection: Collection, join: Int) throws(QueryError) {
        guard !allowsHidden else { return }
        guard collection.rules.list != nil else {
            throw QueryError(
                "\(QueryError.quote(collection.name)) fields can be accessed only when allowHiddenFields is enabled or by superusers"
            )
        }
        joins.requireListRule(of: collection, for: join)
    }

    /// The forms of names that exist at all.
    private static func isAllowed(_ name: String) -> Bool {
        func isWord(_ byte: UInt8) -> Bool {
            FilterLexer.isLetter(byte) || FilterLexer.isDigit(byte) || byte == UInt8(ascii: "_")
        }
        func isPathByte(_ byte: UInt8) -> Bool {
            isWord(byte) || byte == UInt8(ascii: ".") || byte == UInt8(ascii: ":")
        }
        guard let first = name.utf8.first, let last = name.utf8.last else { return false }
        if isWord(first) { return name.utf8.allSatisfy(isPathByte) }
        if name == "@request.context" || name == "@request.method" { return true }
        for prefix in ["@request.auth.", "@request.body.", "@request.query.", "@request.headers."]
        where name.utf8.starts(with: prefix.utf8) {
            let rest = name.utf8.dropFirst(prefix.utf8.count)
            return !rest.isEmpty && rest.allSatisfy(isPathByte) && isWord(last)
        }
        let prefix = "@collection.".utf8
        guard name.utf8.starts(with: prefix) else { return false }
        let rest = name.utf8.dropFirst(prefix.count)
        guard let dot = rest.firstIndex(of: UInt8(ascii: ".")) else { return false }
        let collection = rest[..<dot].split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
        let path = rest[rest.index(after: dot)...]
        return collection.count <= 2 && collection.allSatisfy { !$0.isEmpty && $0.allSatisfy(isWord) }
            && !path.isEmpty && path.allSatisfy(isPathByte) && isWord(last)
    }
}

/// What stands behind the colon of a path's last part.
enum FieldModifierName: String {
    case isset, each, length, lower, changed

    /// Splits `name:modifier`. Anything but exactly one colon makes no modifier.
    static func split(_ part: String) throws(QueryError) -> (name: String, modifier: FieldModifierName?) {
        let parts = part.utf8.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
        guard parts.count == 2 else { return (part, nil) }
        guard let modifier = FieldModifierName(rawValue: String(Substring(parts[1]))) else {
            throw QueryError("unknown modifier in \(QueryError.quote(part))")
        }
        return (String(Substring(parts[0])), modifier)
    }
}
