import JSON
package import Store

/// The records of collections as a client may see and change them: rules, expands and the JSON of answers.
///
/// Reading functions take the connection to read with (a pooled one, or a transaction's); writing ones take a
/// transaction. Nothing here knows HTTP.
package struct RecordService {
    package let schema: Schema
    package let hooks: HookRegistry
    package let plans: PlanCache
    package let info: RequestInfo

    package init(schema: Schema, hooks: HookRegistry, plans: PlanCache, info: RequestInfo) {
        self.schema = schema
        self.hooks = hooks
        self.plans = plans
        self.info = info
    }

    package var saver: RecordSaver { RecordSaver(schema: schema, hooks: hooks) }

    /// The collection that a path names.
    /// - Throws: 404 when there is none.
    package func collection(_ nameOrID: String) throws -> Collection {
        guard let collection = schema.collection(nameOrID) else {
            throw ServiceError.notFound("Missing collection context.")
        }
        return collection
    }

    /// Refuses what only superusers may do.
    /// - Returns: the expression to check, or nil when nothing is to be checked.
    func effective(_ rule: String?) throws -> String? {
        if info.isSuperuser { return nil }
        guard let rule else { throw ServiceError.forbidden("Only superusers can perform this action.") }
        return rule.isEmpty ? nil : rule
    }

    func refuseUnreadable(_ collection: Collection) throws {
        if !info.isSuperuser { try saver.refuseMissing(collection) }
    }

    // MARK: - Reading

    /// One record as the answer's JSON.
    /// - Throws: 404 when it is not there or the rule hides it.
    package func view(
        _ collection: Collection, id: String, expand: String, fields: String, on connection: Connection
    ) throws -> [UInt8] {
        let rule = try effective(collection.rules.view)
        try refuseUnreadable(collection)
        let isPlain =
            expand.isEmpty && fields.isEmpty && !hooks.has(.recordEnrich, collection) && !needsManageCheck(collection)
        guard isPlain else {
            guard let record = try record(collection, id: id, rule: rule, on: connection) else {
                throw ServiceError.notFound()
            }
            return try answer(record, expand: expand, fields: fields, on: connection)
        }
        var writer = JSONWriter(capacity: 1024)
        let own = info.auth.flatMap { $0.collection.id == collection.id ? $0.id : nil }
        let found = try select(collection, id: id, rule: rule, on: connection) { statement in
            RowReader.write(statement, collection, showsHidden: info.isSuperuser, revealsEmailOf: own, into: &writer)
        }
        if !found { throw ServiceError.notFound() }
        return writer.bytes
    }

    /// The record of an id that a rule lets through, or nil.
    package func record(_ collection: Collection, id: String, rule: String?, on connection: Connection) throws
        -> Record?
    {
        var record: Record?
        _ = try select(collection, id: id, rule: rule, on: connection) { record = RowReader.record($0, collection) }
        return record
    }

    private func select(
        _ collection: Collection, id: String, rule: String?, on connection: Connection, _ body: (Statement) -> Void
    ) throws -> Bool {
        guard let rule else {
            return try connection.withStatement(collection.statements.selectByID) { statement in
                try statement.bindText(id, at: 1)
                guard try statement.step() else { return false }
                body(statement)
                return true
            }
        }
        let plan: SelectPlan
        do {
            plan = try RecordQuery.one(collection, schema: schema, rule: rule, request: info, cache: plans)
        } catch {
            // A rule that cannot be compiled lets nothing through.
            return false
        }
        return try connection.withStatement(plan.sql) { statement in
            try plan.bind(to: statement, request: info, extra: [.text(id)])
            guard try statement.step() else { return false }
            body(statement)
            return true
        }
    }

    // MARK: - Answers

    /// A record's answer: expanded, as its reader may see it, with the fields asked for.
    package func answer(_ record: Record, expand: String, fields: String, on connection: Connection) throws -> [UInt8] {
        try enrich([record], expand: expand, on: connection)
        var writer = JSONWriter(capacity: 1024)
        try write(record, fields.isEmpty ? nil : try FieldPicker(fields), into: &writer)
        return writer.bytes
    }

    func write(_ record: Record, _ picker: FieldPicker?, into writer: inout JSONWriter) throws {
        guard let picker else { return writer.record(record, showsHidden: info.isSuperuser) }
        var whole = JSONWriter(capacity: 1024)
        whole.record(record, showsHidden: info.isSuperuser)
        let json = try JSONParser.parse(whole.bytes, options: .init(rejectDuplicateKeys: false))
        writer.json(picker.pick(json))
    }

    /// Decides what of the records is visible and loads what they expand to.
    package func enrich(_ records: [Record], expand: String, on connection: Connection) throws {
        guard !records.isEmpty else { return }
        try enrich(records[...]) {
            try resolveVisibility(records, info: info, on: connection)
            guard !expand.isEmpty else { return }
            var expandInfo = info
            expandInfo.context = "expand"
            let service = RecordService(schema: schema, hooks: hooks, plans: plans, info: expandInfo)
            let expander = Expander(schema: schema, connection: connection) { target, ids in
                try service.visible(target, ids, on: connection)
            }
            for path in Expander.paths(expand) {
                // PocketBase leaves out what cannot be expanded and answers the rest.
                do { try expander.expand(records, path) } catch is ServiceError {}
            }
        }
    }

    private func enrich(_ records: ArraySlice<Record>, then finish: @escaping () throws -> Void) throws {
        guard let record = records.first, hooks.has(.recordEnrich, record.collection) else { return try finish() }
        try hooks.trigger(.recordEnrich, collection: record.collection, record: record, info: info) {
            try enrich(records.dropFirst(), then: finish)
        }
    }

    /// The records of the ids that the requester's view rule lets through; nil when it may see none.
    private func visible(_ collection: Collection, _ ids: [String], on connection: Connection) throws -> [Record]? {
        let rule: String?
        do { rule = try effective(collection.rules.view) } catch { return nil }
        guard !ids.isEmpty else { return [] }
        let plan: SelectPlan
        do {
            plan = try RecordQuery.many(collection, schema: schema, rule: rule, request: info, cache: plans)
        } catch { return nil }
        let list = JSON.array(ids.map { .string($0) }).serialized()
        var records: [Record] = []
        try connection.withStatement(plan.sql) { statement in
            try plan.bind(to: statement, request: info, extra: [.text(list)])
            while try statement.step() { records.append(RowReader.record(statement, collection)) }
        }
        try resolveVisibility(records, info: info, on: connection)
        return records
    }

    /// Whether a manage rule may reveal e-mail addresses of this collection's records to the requester.
    func needsManageCheck(_ collection: Collection) -> Bool {
        guard collection.isAuth, !info.isSuperuser else { return false }
        return !(collection.options["manageRule"]?.stringValue ?? "").isEmpty
    }

    private func resolveVisibility(_ records: [Record], info: RequestInfo, on connection: Connection) throws {
        guard let collection = records.first?.collection, collection.isAuth, !info.isSuperuser else { return }
        for record in records where record.id == info.auth?.id { record.ignoresEmailVisibility = true }
        guard needsManageCheck(collection), let rule = collection.options["manageRule"]?.stringValue,
            let plan = try? RecordQuery.many(
                collection, schema: schema, rule: rule, columns: .id, request: info, cache: plans)
        else { return }
        let list = JSON.array(records.map { .string($0.id) }).serialized()
        var managed: Set<String> = []
        try connection.withStatement(plan.sql) { statement in
            try plan.bind(to: statement, request: info, extra: [.text(list)])
            while try statement.step() { managed.insert(statement.text(0)) }
        }
        for record in records where managed.contains(record.id) { record.ignoresEmailVisibility = true }
    }

    // MARK: - Writing

    private func refuseViews(_ collection: Collection) throws {
        if collection.isView { throw ServiceError.badRequest("Unsupported collection type.") }
    }

    /// A record that a create request makes, checked against the create rule but not validated yet.
    /// - Returns: the record, and this service with the body as rules and hooks see it.
    package func create(
        _ collection: Collection, body: RequestBody, on connection: Connection
    ) throws -> (record: Record, service: RecordService, isManager: Bool) {
        try refuseViews(collection)
        let rule = try effective(collection.rules.create)
        try saver.refuseMissing(collection)
        let record = Record(new: collection)
        let loaded = RecordBody(applying: body, to: record, isSuperuser: info.isSuperuser)
        var info = self.info
        info.body = loaded.pairs
        let service = RecordService(schema: schema, hooks: hooks, plans: plans, info: info)
        var isManager = info.isSuperuser
        if !info.isSuperuser {
            let manage =
                collection.isAuth && info.auth != nil ? collection.options["manageRule"]?.stringValue ?? "" : ""
            if let rule, try !service.wouldMatch(record, rule: rule, on: connection) {
                throw ServiceError.badRequest("Failed to create record")
            }
            if !manage.isEmpty { isManager = (try? service.wouldMatch(record, rule: manage, on: connection)) ?? false }
        }
        return (record, service, isManager)
    }

    /// Whether a rule lets a record through that is not stored yet.
    private func wouldMatch(_ record: Record, rule: String, on connection: Connection) throws -> Bool {
        let collection = record.collection
        var values = record.values
        if let id = collection.index(of: "id"), values[id].isEmpty {
            values[id] = .text("__temp_id__" + RandomText.make(6))
        }
        if collection.isAuth, let verified = collection.index(of: "verified") { values[verified] = .bool(false) }
        let plan: SelectPlan
        do {
            plan = try RecordQuery.createCheck(
                collection, schema: schema, rule: rule, request: info, cache: plans)
        } catch { return false }
        return try connection.withStatement(plan.sql) { statement in
            try plan.bind(to: statement, request: info, extra: values.map(SQLValue.init))
            return try statement.step()
        }
    }

    /// The stored record that an update request changes, changed in memory and checked against the update rule.
    package func update(
        _ collection: Collection, id: String, body: RequestBody, on connection: Connection
    ) throws -> (record: Record, service: RecordService, isManager: Bool) {
        try refuseViews(collection)
        let rule = try effective(collection.rules.update)
        try saver.refuseMissing(collection)
        guard let record = try record(collection, id: id, rule: nil, on: connection) else {
            throw ServiceError.notFound()
        }
        let loaded = RecordBody(applying: body, to: record, isSuperuser: info.isSuperuser)
        var info = self.info
        info.body = loaded.pairs
        let service = RecordService(schema: schema, hooks: hooks, plans: plans, info: info)
        if let rule, try !service.select(collection, id: id, rule: rule, on: connection, { _ in }) {
            throw ServiceError.notFound()
        }
        var isManager = info.isSuperuser
        if !isManager, collection.isAuth, info.auth != nil,
            let manage = collection.options["manageRule"]?.stringValue, !manage.isEmpty
        {
            isManager = try service.select(collection, id: id, rule: manage, on: connection) { _ in }
        }
        return (record, service, isManager)
    }

    /// The stored record that a delete request means.
    package func delete(_ collection: Collection, id: String, on connection: Connection) throws -> Record {
        try refuseViews(collection)
        let rule = try effective(collection.rules.delete)
        try saver.refuseMissing(collection)
        guard let record = try record(collection, id: id, rule: rule, on: connection) else {
            throw ServiceError.notFound()
        }
        return record
    }
}

extension SQLValue {
    /// A field's value in its stored form.
    package init(_ value: Value) {
        switch value {
        case .null: self = .null
        case .bool(let value): self = .integer(value ? 1 : 0)
        case .number(let value): self = .real(value)
        case .text(let value), .json(let value): self = .text(value)
        }
    }
}

extension RecordService {
    /// A record's answer without anything that must be read for it: no expand, no e-mail addresses to decide on.
    package func plainAnswer(_ record: Record, fields: String) throws -> [UInt8] {
        var writer = JSONWriter(capacity: 1024)
        try write(record, fields.isEmpty ? nil : try FieldPicker(fields), into: &writer)
        return writer.bytes
    }
}
