import Engine
import JSON
import Store
package import WebServer

/// `/api/batch`: several creates, updates, upserts and deletes in one transaction, all or none.
package struct BatchRoutes: Sendable {
    let services: Services

    package init(services: Services) { self.services = services }

    package func mount(on router: Router) {
        var options = RouteOptions()
        options.bodyLimit = { [services] _ in
            let configured = services.engine.settings.snapshot.settings.batch.maxBodySize
            return configured > 0 ? configured : 128 << 20
        }
        options.streamedType = "multipart/form-data"
        router.add(.post, "/api/batch", options: options, handler: services.handler(run))
    }

    private func run(_ exchange: Exchange) {
        let settings = exchange.engine.settings.current.batch
        guard settings.enabled, settings.maxRequests > 0 else {
            return exchange.fail(ServiceError.forbidden("Batch requests are not allowed."))
        }
        do {
            guard let stream = exchange.request.bodyStream else {
                @Sendable func read() {
                    do {
                        let body = try BodyReader.object(exchange.request, BatchRequest.unreadable)
                        try run(exchange, settings, try BatchRequest.read(body, max: settings.maxRequests))
                    } catch { exchange.fail(error) }
                }
                return exchange.hasLongBody ? exchange.work(read) : read()
            }
            try exchange.receive(stream, limit: { _ in .max }) { form in
                do {
                    guard let body = try? BodyReader.object(form, of: exchange.request) else {
                        throw BatchRequest.unreadable
                    }
                    let requests = try BatchRequest.read(body, max: settings.maxRequests)
                    try run(exchange, settings, requests, uploads: form.uploads)
                } catch { exchange.fail(error) }
            }
        } catch { exchange.fail(error) }
    }

    private func run(
        _ exchange: Exchange, _ settings: Settings.Batch, _ requests: [BatchRequest], uploads: Uploads? = nil
    ) throws {
        for request in requests { try checkRate(exchange, request) }
        let seconds = settings.timeout > 0 ? settings.timeout : 3
        let failed = ServiceError.badRequest("Batch transaction failed.")
        exchange.write(failed) { transaction in
            let deadline = Timestamp.monotonic() + UInt64(min(seconds, 1_000_000_000)) * 1_000_000_000
            var batch = Batch(
                exchange: exchange, schema: exchange.engine.schema, transaction: transaction, uploads: uploads)
            do {
                return try transaction.connection.withBudget(deadline: deadline) { try batch.run(requests, deadline) }
            } catch let error as StoreError where error.isDeadlineExceeded {
                throw failed
            }
        } then: {
            exchange.json($0)
        }
    }

    /// Each request counts against the limits of its own collection.
    private func checkRate(_ exchange: Exchange, _ request: BatchRequest) throws {
        guard let action = request.action, let collection = exchange.engine.schema.collection(action.collection) else {
            return
        }
        try services.checkRate(exchange, collection, action.kind.rawValue)
    }
}

/// One request of a batch, as it was sent.
struct BatchRequest: Sendable {
    enum Kind: String, Sendable { case create, update, upsert, delete }

    struct Action: Sendable {
        var kind: Kind
        var collection: String
        var id: String
        var query: [(name: String, value: String)]
    }

    var method: String
    var url: String
    var headers: [(String, String)]
    var body: [(key: String, value: Value)]

    static let unreadable = ServiceError.badRequest("Failed to read the submitted batch data.")

    /// Reads the requests of a body.
    /// - Throws: 400 when it is malformed, empty or too long, or when a request has no known method.
    static func read(_ object: JSONObject, max: Int) throws -> [BatchRequest] {
        let items: [JSON]
        switch object["requests"] {
        case .array(let list)?: items = list
        case nil, .null?: items = []
        default: throw unreadable
        }
        let invalid = "Invalid batch request data."
        if items.isEmpty { throw ServiceError.validation(invalid, ["requests": .required]) }
        if items.count > max {
            throw ServiceError.validation(
                invalid,
                [
                    "requests": FieldFailure(
                        "validation_length_too_long", "the length must be no more than \(max)",
                        params: ["max": .number(Double(max)), "min": 0])
                ])
        }
        var requests: [BatchRequest] = []
        var failures: [String: FailureTree] = [:]
        for (index, item) in items.enumerated() {
            let request = try BatchRequest(item, unreadable)
            let wrong = request.failures
            if !wrong.isEmpty { failures["\(index)"] = .nested(wrong) }
            requests.append(request)
        }
        if !failures.isEmpty { throw ServiceError.badRequest(invalid, ["requests": .nested(failures)]) }
        return requests
    }

    private init(_ json: JSON, _ unreadable: ServiceError) throws {
        guard case .object(let object) = json else {
            if json.isNull {
                method = ""; url = ""; headers = []; body = []
                return
            }
            throw unreadable
        }
        func text(_ key: String) throws -> String {
            switch object[key] {
            case nil, .null?: return ""
            case .string(let text)?: return text
            default: throw unreadable
            }
        }
        method = try text("method")
        url = try text("url")
        headers = []
        switch object["headers"] {
        case nil, .null?: break
        case .object(let fields)?:
            for (name, value) in fields {
                guard let text = value.stringValue else { throw unreadable }
                headers.append((name, text))
            }
        default: throw unreadable
        }
        switch object["body"] {
        case nil, .null?: body = []
        case .object(let members)?: body = members.map { ($0.key, Value($0.value)) }
        default: throw unreadable
        }
    }

    private var failures: [String: FailureTree] {
        var failures: [String: FailureTree] = [:]
        if method.isEmpty {
            failures["method"] = .failure(.required)
        } else if !["GET", "POST", "PUT", "PATCH", "DELETE"].contains(method) {
            failures["method"] = .failure(FieldFailure("validation_in_invalid", "must be a valid value"))
        }
        if url.isEmpty {
            failures["url"] = .failure(.required)
        } else if url.utf8.count > 2000 {
            failures["url"] = .failure(
                FieldFailure(
                    "validation_length_too_long", "the length must be no more than 2000",
                    params: ["max": 2000, "min": 0]))
        }
        return failures
    }

    /// What the method and the URL mean; nil for what a batch does not do.
    var action: Action? {
        let pieces = url.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        let parts = pieces[0].split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count >= 5, parts[0].isEmpty, parts[1] == "api", parts[2] == "collections", !parts[3].isEmpty,
            parts[4] == "records"
        else { return nil }
        let query = pieces.count > 1 ? URLEncodedForm.parse(Array(pieces[1].utf8)) : []
        let collection = String(parts[3])
        switch (method, parts.count) {
        case ("POST", 5): return Action(kind: .create, collection: collection, id: "", query: query)
        case ("PUT", 5): return Action(kind: .upsert, collection: collection, id: "", query: query)
        case ("PATCH", 6) where !parts[5].isEmpty:
            return Action(kind: .update, collection: collection, id: String(parts[5]), query: query)
        case ("DELETE", 6) where !parts[5].isEmpty:
            return Action(kind: .delete, collection: collection, id: String(parts[5]), query: query)
        default: return nil
        }
    }
}

/// A batch on the writer's thread, inside its transaction.
struct Batch {
    let exchange: Exchange
    let schema: Schema
    let transaction: Transaction
    let uploads: Uploads?

    /// Carries out the requests in order.
    /// - Returns: the answers as a JSON array.
    mutating func run(_ requests: [BatchRequest], _ deadline: UInt64) throws -> [UInt8] {
        var writer = JSONWriter(capacity: 256 * requests.count)
        writer.beginArray()
        for (index, request) in requests.enumerated() {
            if exchange.request.isClosed || Timestamp.monotonic() > deadline {
                throw ServiceError.badRequest("Batch transaction failed.")
            }
            do {
                let (status, body) = try run(request, at: index)
                writer.beginObject()
                writer.key(plain: "body")
                writer.raw(body)
                writer.key(plain: "status")
                writer.int(status)
                writer.endObject()
            } catch let error as StoreError where error.isDeadlineExceeded || error.isFull || error.isIOError {
                throw error
            } catch {
                throw failure(error, at: index)
            }
        }
        writer.endArray()
        return writer.bytes
    }

    private func failure(_ error: any Error, at index: Int) -> ServiceError {
        let answer: ServiceError
        switch error {
        case let error as ServiceError: answer = error
        case let error as ValidationFailures: answer = .validation("", error.failures)
        default: answer = .badRequest()
        }
        let note: JSON = [
            "code": "batch_request_failed", "message": "Batch request failed.", "response": answer.body,
        ]
        return .badRequest("Batch transaction failed.", ["requests": .nested(["\(index)": .raw(note)])])
    }

    private func service(_ request: BatchRequest, _ query: [(name: String, value: String)]) -> RecordService {
        var info = exchange.completeInfo()
        info.context = "batch"
        info.query = [:]
        for (name, value) in query where info.query[name] == nil { info.query[name] = value }
        for (name, value) in request.headers where name.lowercased() != "authorization" {
            info.headers[String(name.lowercased().map { $0 == "-" ? "_" : $0 })] = value
        }
        return RecordService(schema: schema, hooks: exchange.engine.hooks, plans: exchange.engine.plans, info: info)
    }

    private func run(_ request: BatchRequest, at index: Int) throws -> (status: Int, body: [UInt8]) {
        // PocketBase meets an unknown action inside the request before it, whose fault it then seems to be.
        guard var action = request.action else { throw index == 0 ? ServiceError.badRequest() : .internal() }
        let connection = transaction.connection
        var service = service(request, action.query)
        let collection = try service.collection(action.collection)
        if action.kind == .upsert {
            action.kind = .create
            if let value = request.body.first(where: { $0.key == "id" })?.value {
                let id = value.textValue ?? value.asJSON.serialized()
                if !value.isEmpty, !collection.isView, try connection.record(id: id, in: collection) != nil {
                    action.kind = .update
                    action.id = id
                }
            }
        }
        service = method(of: action.kind, service)
        let body = RequestBody(
            values: request.body, uploads: uploads, uploadPrefixes: ["requests.\(index).", "requests[\(index)]."])
        switch action.kind {
        case .create, .upsert:
            let (record, loaded, isManager) = try service.create(collection, body: body, on: connection)
            return try save(record, loaded, isManager, action, "Failed to create record")
        case .update:
            let (record, loaded, isManager) = try service.update(
                collection, id: action.id, body: body, on: connection)
            return try save(record, loaded, isManager, action, "Failed to update record.")
        case .delete:
            let record = try service.delete(collection, id: action.id, on: connection)
            do {
                try service.saver.delete(record, in: transaction)
            } catch is StoreError {
                throw ServiceError.badRequest(
                    "Failed to delete record. Make sure that the record is not part of a required relation reference.")
            }
            return (204, Array("null".utf8))
        }
    }

    private func method(of kind: BatchRequest.Kind, _ service: RecordService) -> RecordService {
        var info = service.info
        info.method =
            switch kind {
            case .create, .upsert: "POST"
            case .update: "PATCH"
            case .delete: "DELETE"
            }
        return RecordService(schema: service.schema, hooks: service.hooks, plans: service.plans, info: info)
    }

    private func save(
        _ record: Record, _ service: RecordService, _ isManager: Bool, _ action: BatchRequest.Action, _ message: String
    ) throws -> (status: Int, body: [UInt8]) {
        do {
            let failures = AuthForm.failures(
                of: record, body: service.info.body, isManager: isManager, verifyPassword: Passwords.verify)
            if !failures.isEmpty { throw ValidationFailures(failures) }
            try service.saver.save(record, in: transaction)
        } catch let error as ValidationFailures {
            throw ServiceError.validation(message, error.failures)
        }
        func query(_ name: String) -> String { action.query.first { $0.name == name }?.value ?? "" }
        let answer = try service.answer(
            record, expand: query("expand"), fields: query("fields"), on: transaction.connection)
        return (200, answer)
    }
}
