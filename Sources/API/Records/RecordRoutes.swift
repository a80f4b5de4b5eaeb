import Engine
import JSON
import Store
import Synchronization
package import WebServer

/// `/api/collections/{collection}/records…`: the routes that clients spend their time on.
package struct RecordRoutes: Sendable {
    let services: Services

    package init(services: Services) { self.services = services }

    package func mount(on router: Router) {
        let records = "/api/collections/{collection}/records"
        let one = records + "/{id}"
        let none = RouteOptions(body: .discard)
        var body = RouteOptions()
        body.bodyLimit = { request in limit(of: request) }
        body.streamedType = "multipart/form-data"
        router.add(.get, records, options: none, handler: services.handler(list))
        router.add(.get, one, options: none, handler: services.handler(view))
        router.add(.post, records, options: body, handler: services.handler(create))
        router.add(.patch, one, options: body, handler: services.handler(update))
        router.add(.delete, one, options: none, handler: services.handler(delete))
    }

    /// Bytes that a body may have: PocketBase's 32 MiB, and what the collection's fields need on top.
    private func limit(of request: Request) -> Int {
        let usual = 32 << 20
        guard let name = request.parameters["collection"], let collection = services.engine.schema.collection(name)
        else {
            return usual
        }
        return collection.fields.reduce(usual) { $0 + $1.shape.maxBodySize }
    }

    private func service(_ exchange: Exchange, filter: String = "") -> RecordService {
        let engine = exchange.engine
        let schema = engine.schema
        return RecordService(
            schema: schema, hooks: engine.hooks, plans: engine.plans,
            info: exchange.info(schema: schema, filter: filter))
    }

    // MARK: - Reading

    private func list(_ exchange: Exchange) {
        do {
            let options = try RecordService.ListOptions(exchange)
            let service = service(exchange, filter: options.filter + options.sort)
            let collection = try service.collection(exchange.parameter("collection"))
            try services.checkRate(exchange, collection, "list")
            let shape = "list \(collection.id) \(options.filter) \(options.sort)"
            let isGuarded =
                !options.filter.isEmpty && collection.rules.list?.isEmpty == false && !exchange.isSuperuser
            let search = isGuarded ? Search(exchange, collection) : nil
            guard !service.hooks.has(.recordsListRequest, collection) else {
                return exchange.work {
                    do {
                        var bytes = Array("null".utf8)
                        try service.hooks.trigger(
                            .recordsListRequest, collection: collection, info: service.info, request: exchange.request
                        ) {
                            bytes = try exchange.readWhileOpen(exchange.engine.data) {
                                try service.list(collection, options, on: $0) { search?.foundNothing() }
                            }
                        }
                        if let search { search.answer(bytes) } else { exchange.json(bytes) }
                    } catch { exchange.fail(error) }
                }
            }
            guard let search else {
                return exchange.read(shape: shape) { try service.list(collection, options, on: $0) }
            }
            exchange.read(shape: shape) {
                try service.list(collection, options, on: $0) { search.foundNothing() }
            } then: {
                search.answer($0)
            }
        } catch {
            exchange.fail(error)
        }
    }

    private func view(_ exchange: Exchange) {
        do {
            let service = service(exchange)
            let collection = try service.collection(exchange.parameter("collection"))
            try services.checkRate(exchange, collection, "view")
            let id = exchange.parameter("id")
            let expand = exchange.query("expand")
            let fields = exchange.query("fields")
            guard !service.hooks.has(.recordViewRequest, collection) else {
                return exchange.work {
                    do {
                        var bytes = Array("null".utf8)
                        try service.hooks.trigger(
                            .recordViewRequest, collection: collection, info: service.info, request: exchange.request
                        ) {
                            bytes = try exchange.engine.data.read {
                                try service.view(collection, id: id, expand: expand, fields: fields, on: $0)
                            }
                        }
                        exchange.json(bytes)
                    } catch { exchange.fail(error) }
                }
            }
            exchange.read(shape: "view \(collection.id) \(expand)") {
                try service.view(collection, id: id, expand: expand, fields: fields, on: $0)
            }
        } catch {
            exchange.fail(error)
        }
    }

    // MARK: - Writing

    private func create(_ exchange: Exchange) {
        change(exchange, "create", .badRequest("Failed to create record")) { service, collection, body, connection in
            try service.create(collection, body: body, on: connection)
        }
    }

    private func update(_ exchange: Exchange) {
        let id = exchange.parameter("id")
        change(exchange, "update", .badRequest("Failed to update record.")) { service, collection, body, connection in
            try service.update(collection, id: id, body: body, on: connection)
        }
    }

    private typealias Change =
        @Sendable (
            RecordService, Collection, RequestBody, Connection
        ) throws -> (record: Record, service: RecordService, isManager: Bool)

    /// Create and update: everything up to the write happens here on a reading connection, the write itself on the
    /// writer's thread. What is slow (password hashes, hooks) moves to a worker first.
    private func change(_ exchange: Exchange, _ action: String, _ fallback: ServiceError, _ load: @escaping Change) {
        do {
            let service = service(exchange)
            guard let collection = service.schema.collection(exchange.parameter("collection")) else {
                throw ServiceError.notFound("Missing or invalid collection context.")
            }
            if collection.isView { throw ServiceError.badRequest("Unsupported collection type.") }
            try services.checkRate(exchange, collection, action)
            let writing = RecordWriting(exchange: exchange, collection: collection, fallback: fallback)
            guard let stream = exchange.request.bodyStream else {
                guard !exchange.hasLongBody else {
                    return exchange.work {
                        do {
                            writing.run(service, try BodyReader.read(exchange.request), load)
                        } catch { exchange.fail(error, .badRequest()) }
                    }
                }
                let body = try BodyReader.read(exchange.request)
                let isSlow =
                    AuthForm.isSlow(collection, body.values) || service.saver.needsTransaction
                    || service.hooks.has(
                        action == "create" ? .recordCreateRequest : .recordUpdateRequest, collection)
                if isSlow {
                    return exchange.work { writing.run(service, body, load) }
                }
                return writing.runOnLoop(service, body, load)
            }
            try exchange.receive(stream, limit: { UploadLimits.of($0, in: collection) }) { form in
                do {
                    let body = try BodyReader.read(form, of: exchange.request)
                    exchange.work { writing.run(service, body, load) }
                } catch { exchange.fail(error, .badRequest()) }
            }
        } catch {
            exchange.fail(error, .badRequest())
        }
    }

    private func delete(_ exchange: Exchange) {
        do {
            let service = service(exchange)
            let collection = try service.collection(exchange.parameter("collection"))
            try services.checkRate(exchange, collection, "delete")
            let id = exchange.parameter("id")
            let fallback = ServiceError.badRequest(
                "Failed to delete record. Make sure that the record is not part of a required relation reference.")
            guard !service.hooks.has(.recordDeleteRequest, collection) else {
                return exchange.work {
                    do {
                        let record = try exchange.engine.data.read { try service.delete(collection, id: id, on: $0) }
                        try service.hooks.trigger(
                            .recordDeleteRequest, collection: collection, record: record, info: service.info,
                            request: exchange.request
                        ) { try exchange.engine.data.writeAndWait { try service.saver.delete(record, in: $0) } }
                        exchange.noContent()
                    } catch { exchange.fail(error, fallback) }
                }
            }
            let record = try exchange.engine.data.read { try service.delete(collection, id: id, on: $0) }
            exchange.write(fallback) {
                try service.saver.delete(record, in: $0)
            } then: {
                exchange.noContent()
            }
        } catch {
            exchange.fail(error, .notFound())
        }
    }
}

/// A list with a filter of the client's under a rule, of which it must not be measured what the rule hides.
private final class Search: Sendable {
    private let exchange: Exchange
    private let collection: Collection
    private let isEmpty = Atomic<Bool>(false)

    init(_ exchange: Exchange, _ collection: Collection) {
        self.exchange = exchange
        self.collection = collection
    }

    func foundNothing() { isEmpty.store(true, ordering: .relaxed) }

    func answer(_ bytes: [UInt8]) {
        guard isEmpty.load(ordering: .relaxed) else { return exchange.json(bytes) }
        let services = exchange.services
        let pause = services.emptyLists.delay(
            collection: collection.id, client: services.realIP(exchange.request))
        guard pause > 0 else { return exchange.json(bytes) }
        exchange.request.later(milliseconds: pause) { [exchange] in exchange.json(bytes) }
    }
}

/// One create or update on its way to the disk and back.
struct RecordWriting: Sendable {
    let exchange: Exchange
    let collection: Collection
    let fallback: ServiceError

    typealias Load =
        @Sendable (
            RecordService, Collection, RequestBody, Connection
        ) throws -> (record: Record, service: RecordService, isManager: Bool)

    /// Does what comes before the write on the event loop if it is quick, else anew on a worker.
    func runOnLoop(_ service: RecordService, _ body: RequestBody, _ load: @escaping Load) {
        let shape = "write \(collection.id)"
        if !exchange.services.slowReads.contains(shape) {
            do {
                let record = try exchange.engine.data.read { connection in
                    try connection.withBudget(nanoseconds: Services.loopBudget) {
                        let (record, service, isManager) = try load(service, collection, body, connection)
                        try checkForm(record, service, isManager)
                        try service.saver.prepare(record, on: connection)
                        return (record, service)
                    }
                }
                return write(record.0, record.1)
            } catch let error as StoreError where error.isBudgetExceeded {
                exchange.services.slowReads.insert(shape)
            } catch {
                return exchange.fail(error, fallback)
            }
        }
        exchange.work { run(service, body, load) }
    }

    /// Queues the write of a prepared record and answers after its commit.
    private func write(_ record: Record, _ service: RecordService) {
        let exchange = self.exchange
        exchange.write(fallback) {
            try service.saver.write(record, in: $0)
        } then: {
            do { try answer(record, service) } catch { exchange.fail(error, fallback) }
        }
    }

    /// The whole way on a worker thread, with hooks and password hashes.
    func run(_ service: RecordService, _ body: RequestBody, _ load: Load) {
        let engine = exchange.engine
        do {
            let (record, service, isManager) = try engine.data.read { try load(service, collection, body, $0) }
            let isNew = record.isNew
            let request: HookName = isNew ? .recordCreateRequest : .recordUpdateRequest
            if service.hooks.has(request, collection) {
                var isSaved = false
                try service.hooks.trigger(
                    request, collection: collection, record: record, info: service.info, request: exchange.request
                ) {
                    try checkForm(record, service, isManager)
                    try save(record, service)
                    isSaved = true
                }
                // A handler that did not go on has answered itself, or wants nothing to happen.
                return isSaved ? try answer(record, service) : exchange.noContent()
            }
            try checkForm(record, service, isManager)
            if service.saver.needsTransaction {
                try save(record, service)
                return try answer(record, service)
            }
            try engine.data.read { try service.saver.prepare(record, on: $0) }
            // Files are in their place before the writer is asked, so that other writes need not wait for them.
            guard let uploads = record.uploads, uploads.isElsewhere else {
                try record.uploads?.place(for: record)
                return write(record, service)
            }
            let isTaken = engine.files.transfers.run {
                do {
                    try uploads.place(for: record)
                    write(record, service)
                } catch { exchange.fail(error, fallback) }
            }
            if !isTaken { throw ServiceError.overloaded }
        } catch {
            exchange.fail(error, fallback)
        }
    }

    private func checkForm(_ record: Record, _ service: RecordService, _ isManager: Bool) throws {
        let failures = AuthForm.failures(
            of: record, body: service.info.body, isManager: isManager, verifyPassword: Passwords.verify)
        if !failures.isEmpty { throw ValidationFailures(failures) }
    }

    /// Saves with the model events and waits for the commit. Worker thread.
    private func save(_ record: Record, _ service: RecordService) throws {
        let isNew = record.isNew
        do {
            if let uploads = record.uploads, uploads.isElsewhere {
                // No network is waited for inside the transaction. What validation or a hook refuses is removed again.
                try exchange.engine.data.read { try service.saver.fillInID(of: record, on: $0) }
                try uploads.place(for: record)
            }
            try exchange.engine.data.writeAndWait { try service.saver.save(record, in: $0) }
        } catch {
            try? service.saver.finished(record, wasNew: isNew, failed: true)
            throw error
        }
        try service.saver.finished(record, wasNew: isNew, failed: false)
    }

    private func answer(_ record: Record, _ service: RecordService) throws {
        let expand = exchange.query("expand")
        let fields = exchange.query("fields")
        // Nothing is read for the usual answer, so it is made where the commit was acknowledged.
        if expand.isEmpty && !collection.isAuth && !service.hooks.has(.recordEnrich, collection) {
            return exchange.json(try service.plainAnswer(record, fields: fields))
        }
        exchange.work {
            do {
                exchange.json(
                    try exchange.engine.data.read {
                        try service.answer(record, expand: expand, fields: fields, on: $0)
                    })
            } catch { exchange.fail(error, fallback) }
        }
    }
}
