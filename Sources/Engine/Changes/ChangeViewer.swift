import JSON
package import Store

/// Somebody who looks at changes: an identity, with the query and headers that rules may read.
package struct ChangeViewer: Sendable {
    package let info: RequestInfo
    let filter: String
    let expand: String
    let fields: String

    package init(auth: Record?, query: [String: String], headers: [String: String]) {
        info = RequestInfo(context: "realtime", method: "GET", query: query, headers: headers, auth: auth)
        filter = query["filter"] ?? ""
        expand = query["expand"] ?? ""
        fields = query["fields"] ?? ""
    }
}

/// Which rule of a collection decides.
package enum ChangeRule: UInt32, Sendable {
    case list = 0
    case view = 1

    func rule(of collection: Collection) -> String? {
        self == .list ? collection.rules.list : collection.rules.view
    }
}

/// What viewers are shown of changes.
package struct ChangeShow {
    let schema: Schema
    let hooks: HookRegistry
    let plans: PlanCache

    package init(schema: Schema, hooks: HookRegistry, plans: PlanCache) {
        self.schema = schema
        self.hooks = hooks
        self.plans = plans
    }

    /// The record of a change as the viewer may see it.
    /// - Parameter connection: reads what is committed now; a delete's snapshot is read with its own.
    /// - Returns: nil when it may not see it.
    package func show(
        _ detailed: DetailedChange, to viewer: ChangeViewer, by rule: ChangeRule, on connection: Connection
    ) throws -> [UInt8]? {
        guard let snapshot = detailed.snapshot else {
            return try show(detailed, to: viewer, by: rule, on: connection, before: connection)
        }
        return try snapshot.read { try show(detailed, to: viewer, by: rule, on: connection, before: $0) }
    }

    private func show(
        _ detailed: DetailedChange, to viewer: ChangeViewer, by rule: ChangeRule, on connection: Connection,
        before: Connection
    ) throws -> [UInt8]? {
        guard let collection = schema.collection(id: detailed.change.collectionID) else { return nil }
        guard try passes(detailed, collection, viewer, rule, on: before) else { return nil }
        // What a cascade deletes is expanded, as in PocketBase, when those that began it are gone.
        let connection = detailed.isCascade ? connection : before
        let service = RecordService(schema: schema, hooks: hooks, plans: plans, info: viewer.info)
        func answer(_ fields: String) throws -> [UInt8] {
            let record = Record(collection: detailed.record.collection, stored: detailed.record.values)
            return try service.answer(record, expand: viewer.expand, fields: fields, on: connection)
        }
        if viewer.fields.isEmpty { return try answer("") }
        // PocketBase sends the whole record when it does not understand the fields.
        do { return try answer(viewer.fields) } catch is ServiceError { return try answer("") }
    }

    private func passes(
        _ detailed: DetailedChange, _ collection: Collection, _ viewer: ChangeViewer, _ kind: ChangeRule,
        on connection: Connection
    ) throws -> Bool {
        var rule = ""
        if !viewer.info.isSuperuser {
            guard let set = kind.rule(of: collection) else { return false }
            rule = set
        }
        if rule.isEmpty && viewer.filter.isEmpty { return true }
        guard (try? RecordQuery.checkClientNames(filter: viewer.filter, sort: "", request: viewer.info)) != nil,
            let plan = try? plan(rule, viewer, collection)
        else { return false }
        let isGone = detailed.change.action == .delete && detailed.snapshot == nil
        if !isGone {
            return try connection.withStatement(plan.sql) { statement in
                try plan.bind(to: statement, request: viewer.info, extra: [.text(detailed.change.recordID)])
                return try statement.step()
            }
        }
        // Nothing but the values is left of it.
        guard
            let plan = try? RecordQuery.createCheck(
                collection, schema: schema, rule: rule.isEmpty ? nil : rule, filter: viewer.filter,
                allowsHidden: false, request: viewer.info, cache: plans)
        else { return false }
        let values = detailed.record.values.map(SQLValue.init)
        return try connection.withStatement(plan.sql) { statement in
            try plan.bind(to: statement, request: viewer.info, extra: values)
            return try statement.step()
        }
    }

    private func plan(_ rule: String, _ viewer: ChangeViewer, _ collection: Collection) throws -> SelectPlan {
        try RecordQuery.matches(
            collection, schema: schema, rule: rule.isEmpty ? nil : rule, filter: viewer.filter, allowsHidden: false,
            request: viewer.info, cache: plans)
    }

    /// A text that is equal for viewers who are shown the same of every change of a collection: what is asked of the
    /// database, with all values that the request gives to it, and what the JSON depends on.
    package func key(_ viewer: ChangeViewer, _ collection: Collection, by kind: ChangeRule) -> String {
        let info = viewer.info
        var writer = JSONWriter(capacity: 512)
        writer.beginArray()
        writer.string(collection.id)
        writer.int(Int(kind.rawValue))
        writer.bool(info.isSuperuser)
        for text in [viewer.filter, viewer.expand, viewer.fields] { writer.string(text) }
        let rule = info.isSuperuser ? "" : kind.rule(of: collection)
        write(rule, viewer, collection, into: &writer)
        if collection.isAuth && !info.isSuperuser {
            writer.string(info.auth?.id ?? "")
            if let manage = collection.options["manageRule"]?.stringValue, !manage.isEmpty {
                let plain = ChangeViewer(info)
                write(manage, plain, collection, into: &writer)
            }
        }
        if !viewer.expand.isEmpty || hooks.has(.recordEnrich, collection) {
            writer.string((info.auth?.collection.id ?? "") + "/" + (info.auth?.id ?? ""))
            for values in [info.query, info.headers] {
                for (name, value) in values.sorted(by: { $0.key < $1.key }) {
                    writer.string(name)
                    writer.string(value)
                }
            }
        }
        writer.endArray()
        return String(decoding: writer.bytes, as: UTF8.self)
    }

    private func write(
        _ rule: String?, _ viewer: ChangeViewer, _ collection: Collection, into writer: inout JSONWriter
    ) {
        guard let rule else { return writer.writeNull() }
        if rule.isEmpty && viewer.filter.isEmpty { return writer.bool(true) }
        guard let plan = try? plan(rule, viewer, collection) else { return writer.bool(false) }
        writer.string(plan.sql)
        // A fixed moment: what a rule reads of the clock is the same for everybody.
        for value in plan.values(for: viewer.info, at: 0) { writer.string("\(value)") }
    }
}

extension ChangeViewer {
    /// The same viewer without what it asked for.
    fileprivate init(_ info: RequestInfo) {
        self.info = info
        filter = ""
        expand = ""
        fields = ""
    }
}
