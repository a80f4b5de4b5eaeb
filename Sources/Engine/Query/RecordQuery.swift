import Store

/// The queries that records are read by. Pure: makes SQL of rules, filters and sorts, and touches no database.
///
/// Rules are given by the caller, who has refused the request already if it is locked (nil) for this client; nil and
/// "" here mean that nothing is asked. All functions may be called from any thread.
///
/// For example:
///
///     let plan = try RecordQuery.list(posts, schema: schema, rule: posts.rules.list, filter: "stars > 3",
///                                     sort: "-created", allowsHidden: false, request: request, cache: cache)
///     try plan.bind(to: statement, request: request, extra: [.integer(30), .integer(0)])
package enum RecordQuery {
    /// What a query returns of each record.
    package enum Columns: Hashable, Sendable {
        /// The collection's columns in the order of its fields.
        case all
        /// The id alone.
        case id
    }

    /// A page of records. `extra`: limit, offset.
    /// - Parameters:
    ///   - rule: the list rule, which may look at hidden fields.
    ///   - filter: the client's filter; "" for none.
    ///   - sort: the client's sort; "" for none.
    ///   - allowsHidden: whether filter and sort may look at hidden fields and into collections whose list rule the
    ///     client does not meet (superusers).
    ///   - rows: how many rows a collection's table has, about; asked when a plan is made.
    /// - Throws: a 400 with PocketBase's message when rule, filter or sort make no sense.
    package static func list(
        _ collection: Collection, schema: Schema, rule: String?, filter: String = "", sort: String = "",
        allowsHidden: Bool, request: RequestInfo, cache: PlanCache, rows: ((Collection) -> Int?)? = nil
    ) throws(ServiceError) -> SelectPlan {
        try plan(
            .list, collection, schema, .all, rule: rule, filter: filter, sort: sort, allowsHidden: allowsHidden,
            request, cache, rows: rows)
    }

    /// One record by its id, if the rule lets it through. `extra`: id.
    package static func one(
        _ collection: Collection, schema: Schema, rule: String?, request: RequestInfo, cache: PlanCache
    ) throws(ServiceError) -> SelectPlan {
        try plan(.one, collection, schema, .all, rule: rule, request, cache)
    }

    /// Those records of some ids that the rule lets through, in no order. `extra`: the ids, each once, as a JSON array.
    package static func many(
        _ collection: Collection, schema: Schema, rule: String?, columns: Columns = .all, request: RequestInfo,
        cache: PlanCache
    ) throws(ServiceError) -> SelectPlan {
        try plan(.many, collection, schema, columns, rule: rule, request, cache)
    }

    /// A row `1` if the record meets the rule and the client's filter. `extra`: id.
    package static func matches(
        _ collection: Collection, schema: Schema, rule: String?, filter: String = "", allowsHidden: Bool = true,
        request: RequestInfo, cache: PlanCache
    ) throws(ServiceError) -> SelectPlan {
        try plan(
            .matches, collection, schema, .id, rule: rule, filter: filter, allowsHidden: allowsHidden, request, cache)
    }

    /// A row `1` if a record that is not stored yet meets a rule. `extra`: its stored values in the order of the
    /// collection's fields; an id must be among them, whatever it is.
    package static func createCheck(
        _ collection: Collection, schema: Schema, rule: String?, filter: String = "", allowsHidden: Bool = true,
        request: RequestInfo, cache: PlanCache
    ) throws(ServiceError) -> SelectPlan {
        try plan(
            .create, collection, schema, .id, rule: rule, filter: filter, allowsHidden: allowsHidden, request, cache)
    }

    /// Whether a text can be a rule of a collection.
    /// - Throws: why it cannot.
    package static func validate(rule: String, of collection: Collection, schema: Schema) throws(QueryError) {
        var resolver = FieldResolver(schema: schema, request: RequestInfo(), base: collection, allowsHidden: true)
        _ = try resolver.condition(for: FilterExpression(parsing: rule).root)
    }

    /// Refuses what only superusers may name in a filter or sort.
    /// - Throws: PocketBase's 403.
    package static func checkClientNames(filter: String, sort: String, request: RequestInfo) throws(ServiceError) {
        guard !request.isSuperuser else { return }
        for text in [filter, sort] {
            for name in ["@collection.", "@request."] where text.utf8.containsSequence(name.utf8) {
                throw .forbidden("Only superusers can filter by \(name)")
            }
        }
    }

    private static func plan(
        _ kind: PlanCache.Key.Kind, _ collection: Collection, _ schema: Schema, _ columns: Columns, rule: String?,
        filter: String = "", sort: String = "", allowsHidden: Bool = true, _ request: RequestInfo, _ cache: PlanCache,
        rows: ((Collection) -> Int?)? = nil
    ) throws(ServiceError) -> SelectPlan {
        guard filter.utf8.count <= QueryLimits.filterLength,
            sort.utf8.count <= QueryLimits.sortKeys * (QueryLimits.sortKeyLength + 16)
        else { throw .badRequest() }
        do {
            var parsed: (template: FilterExpression, literals: [SQLValue])?
            if !filter.isEmpty { parsed = try FilterExpression(parsing: filter).template() }
            let key = PlanCache.Key(
                schemaVersion: schema.version, collectionID: collection.id, kind: kind, columns: columns,
                rule: rule?.isEmpty == true ? nil : rule, filter: parsed?.template, sort: sort,
                allowsHidden: allowsHidden)
            var plan = try cache.plan(key, for: request) { () throws(QueryError) in
                try PlanBuilder(key: key, collection: collection, schema: schema, request: request, rows: rows).build()
            }
            plan.literals = parsed?.literals ?? []
            return plan
        } catch {
            throw error.serviceError
        }
    }
}
