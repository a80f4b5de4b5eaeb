package import Engine
package import JSON
package import PluginHost
import Store

/// The engine's records as plugins reach them through `roost.records/1`: trusted, so no rule is applied.
package final class EngineRecordHost: RecordHost {
    private let engine: Engine

    package init(engine: Engine) { self.engine = engine }

    private func saver() -> RecordSaver { RecordSaver(schema: engine.schema, hooks: engine.hooks) }

    private func read<T>(_ transaction: RecordTransaction?, _ body: (Connection) throws -> T) throws -> T {
        if let transaction { return try body(transaction.connection) }
        return try engine.data.read(body)
    }

    private func known(_ nameOrID: String) throws -> Collection {
        guard let collection = engine.schema.collection(nameOrID) else {
            throw ServiceError.notFound("There is no collection \"\(nameOrID)\".")
        }
        return collection
    }

    package func collection(_ nameOrID: String, in transaction: RecordTransaction?) -> Collection? {
        engine.schema.collection(nameOrID)
    }

    package func find(_ collection: String, id: String, in transaction: RecordTransaction?) throws -> Record? {
        let collection = try known(collection)
        return try read(transaction) { try $0.record(id: id, in: collection) }
    }

    package func find(
        _ collection: String, field: String, equals value: Value, ignoringCase: Bool, in transaction: RecordTransaction?
    ) throws -> Record? {
        let collection = try known(collection)
        guard collection.index(of: field) != nil else {
            throw ServiceError.badRequest("The collection \"\(collection.name)\" has no field \"\(field)\".")
        }
        let statements = collection.statements
        let sql =
            "SELECT \(statements.columns) FROM \(statements.table) WHERE \(statements.table).`\(field)` = ?"
            + (ignoringCase ? " COLLATE NOCASE" : "") + " LIMIT 1"
        return try read(transaction) { try $0.records(sql, [SQLValue(value)], collection).first }
    }

    package func list(
        _ collection: String, filter: String, sort: String, parameters: JSONObject, offset: Int, limit: Int,
        in transaction: RecordTransaction?
    ) throws -> [Record] {
        let collection = try known(collection)
        let plan = try RecordQuery.list(
            collection, schema: engine.schema, rule: nil, filter: FilterPlaceholders.fill(filter, parameters),
            sort: sort,
            allowsHidden: true, request: RequestInfo(), cache: engine.plans)
        return try read(transaction) { connection in
            try connection.records(
                plan.sql,
                plan.values(
                    for: RequestInfo(), extra: [.integer(limit <= 0 ? -1 : Int64(limit)), .integer(Int64(offset))]),
                collection)
        }
    }

    package func count(_ collection: String, ids: [String], in transaction: RecordTransaction?) throws -> Int {
        let collection = try known(collection)
        let list = JSON.array(ids.map { .string($0) }).serialized()
        let sql = "SELECT COUNT(*) FROM \(collection.statements.table) WHERE `id` IN (SELECT value FROM json_each(?))"
        return try read(transaction) { Int(try $0.scalar(sql, [.text(list)])?.intValue ?? 0) }
    }

    package func create(_ collection: String) throws -> Record { Record(new: try known(collection)) }

    package func save(_ record: Record, unchecked: Bool, in transaction: RecordTransaction?) throws {
        let saver = saver()
        do {
            if let transaction {
                return try saver.save(record, in: writing(transaction), validates: !unchecked)
            }
            if !saver.needsTransaction && !engine.data.isOnWriterThread {
                // Password hashes are made before the writer is asked, so that other writes need not wait for them.
                try engine.data.read { try saver.prepare(record, on: $0, validates: !unchecked) }
                return try engine.data.writeAndWait { try saver.write(record, in: $0) }
            }
            let isNew = record.isNew
            do {
                try engine.data.writeAndWait { try saver.save(record, in: $0, validates: !unchecked) }
            } catch {
                try? saver.finished(record, wasNew: isNew, failed: true)
                throw error
            }
            try saver.finished(record, wasNew: isNew, failed: false)
        } catch let error as ValidationFailures {
            throw ServiceError.validation("Failed to save the record.", error.failures)
        }
    }

    package func create(
        _ collection: String, body: JSONObject, uploads: [RecordUpload], context: String,
        request: any PluginRequestSource, in transaction: RecordTransaction?
    ) throws -> Record {
        guard let exchange = (request as? PluginRequest)?.exchange else {
            throw ServiceError.badRequest("No record can be made here.")
        }
        let creation = ClientCreation(
            exchange: exchange, collection: try known(collection), context: context,
            uploads: try place(uploads))
        do {
            if let transaction { return try creation.run(body, in: writing(transaction)) }
            return try engine.data.writeAndWait { try creation.run(body, in: $0) }
        } catch let error as ValidationFailures {
            throw ServiceError.validation("Failed to create record", error.failures)
        }
    }

    /// Puts a plugin's files where those of a form would lie.
    private func place(_ uploads: [RecordUpload]) throws -> Uploads? {
        guard !uploads.isEmpty else { return nil }
        let place = engine.files.begin()
        for upload in uploads { try place.add(upload.data, under: upload.field, name: upload.name) }
        return place
    }

    package func remove(_ record: Record, in transaction: RecordTransaction?) throws {
        let saver = saver()
        func run(_ transaction: Transaction) throws {
            // Of several that delete one record only the first has deleted it.
            guard try transaction.connection.record(id: record.id, in: record.collection) != nil else {
                throw ServiceError.notFound()
            }
            try saver.delete(record, in: transaction)
        }
        if let transaction { return try run(writing(transaction)) }
        try engine.data.writeAndWait(run)
    }

    package func transaction(
        in outer: RecordTransaction?, _ body: @escaping @Sendable (RecordTransaction) throws -> Void
    ) throws {
        let schema = engine.schema
        func run(_ transaction: Transaction) throws {
            try body(RecordTransaction(connection: transaction.connection, schema: schema, writing: transaction))
        }
        if let outer {
            let transaction = try writing(outer)
            return try transaction.savepoint { try run(transaction) }
        }
        try engine.data.writeAndWait(run)
    }

    private func writing(_ transaction: RecordTransaction) throws -> Transaction {
        guard let writing = transaction.writing else {
            throw ServiceError.badRequest("Nothing can be written while a value is checked.")
        }
        return writing
    }

    package func export(
        _ record: Record, audience: RecordAudience, expand: String, fields: String,
        request: (any PluginRequestSource)?
    ) throws -> String {
        // Identities are shared by all requests of a token: what expanding and showing leave in a record is this
        // answer's own.
        let record = Record(copying: record)
        var info = RequestInfo()
        if !expand.isEmpty, let exchange = (request as? PluginRequest)?.exchange {
            info = exchange.completeInfo()
            info.body = (try? BodyReader.read(exchange.request).values) ?? []
        }
        switch audience {
        case .everyone: info.auth = nil
        case .owner: info.auth = record
        case .superuser:
            if let superusers = engine.schema.collection(name: "_superusers") { info.auth = Record(new: superusers) }
        }
        let service = RecordService(schema: engine.schema, hooks: engine.hooks, plans: engine.plans, info: info)
        let bytes = try engine.data.read { try service.answer(record.copy(), expand: expand, fields: fields, on: $0) }
        return String(decoding: bytes, as: UTF8.self)
    }

    package func matches(_ record: Record, rule: String, auth: Record?, context: String) throws -> Bool {
        try matches(record, rule: rule, auth: auth, context: context, request: nil)
    }

    package func matches(
        _ record: Record, rule: String, auth: Record?, context: String, request: (any PluginRequestSource)?
    ) throws -> Bool {
        var info = RequestInfo(context: context, auth: auth)
        if rule.contains("@request."), let exchange = (request as? PluginRequest)?.exchange {
            info = exchange.completeInfo()
            info.context = context
            info.auth = auth
            if rule.contains("@request.body") { info.body = (try? BodyReader.read(exchange.request).values) ?? [] }
        }
        let plan = try RecordQuery.matches(
            record.collection, schema: engine.schema, rule: rule, request: info, cache: engine.plans)
        return try engine.data.read { connection in
            try connection.withStatement(plan.sql) { statement in
                try plan.bind(to: statement, request: info, extra: [.text(record.id)])
                return try statement.step()
            }
        }
    }
}
