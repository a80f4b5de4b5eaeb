package import Engine
package import JSON
import NIOCore
package import Store
package import WebServer

/// One request on its way through a core route: who asks, what was sent, and how to answer in PocketBase's forms.
package struct Exchange: Sendable {
    package let request: Request
    package let responder: Responder
    package let services: Services

    package var engine: Engine { services.engine }

    /// The signed-in record; nil for a guest.
    package var auth: Record? { request[IdentityKey.self]?.record }
    package var isSuperuser: Bool { auth?.collection.isSuperusers ?? false }

    package func parameter(_ name: String) -> String { request.parameters[name] ?? "" }
    package func query(_ name: String) -> String { request.queryValue(name) ?? "" }

    // MARK: - What rules see

    /// The request as rules and filters see it, without a body.
    package func info(schema: Schema, filter: String = "") -> RequestInfo {
        var info = RequestInfo(method: request.method.rawValue, auth: auth)
        if schema.readsQuery || !filter.isEmpty && filter.contains("@request.query") {
            for (name, value) in request.queryItems where info.query[name] == nil { info.query[name] = value }
        }
        if schema.readsHeaders || !filter.isEmpty && filter.contains("@request.headers") {
            info.headers = headerFields()
        }
        return info
    }

    /// Every parameter and header, for code from outside that may ask for any of them.
    package func completeInfo() -> RequestInfo {
        var info = RequestInfo(method: request.method.rawValue, auth: auth)
        for (name, value) in request.queryItems where info.query[name] == nil { info.query[name] = value }
        info.headers = headerFields()
        return info
    }

    private func headerFields() -> [String: String] {
        var fields: [String: String] = [:]
        for (name, value) in request.headers {
            let key = String(name.lowercased().map { $0 == "-" ? "_" : $0 })
            // Go keeps the host apart from the other headers.
            if fields[key] == nil && key != "host" { fields[key] = value }
        }
        return fields
    }

    // MARK: - Answers

    /// Answers with JSON bytes.
    package func json(_ bytes: [UInt8], status: UInt16 = 200) {
        var bytes = bytes
        bytes.append(UInt8(ascii: "\n"))
        responder.send(Response(status: status, headers: Self.jsonHeaders, body: .bytes(bytes)))
    }

    /// Answers with a JSON value of which the `fields` parameter may pick.
    package func json(_ value: JSON, status: UInt16 = 200) {
        let fields = query("fields")
        guard !fields.isEmpty, (200..<300).contains(status) else {
            return json(value.serializedBytes(), status: status)
        }
        do {
            json(try FieldPicker(fields).pick(value).serializedBytes(), status: status)
        } catch {
            fail(error)
        }
    }

    package func noContent() { responder.send(Response(status: 204)) }

    /// Answers with an error. Errors that were not made for the client are logged and shown as a plain one.
    /// - Parameter fallback: the answer to an error of the last kind; a plain 400 when there is none, as PocketBase has
    ///   it for most of its routes.
    package func fail(_ error: any Error, _ fallback: ServiceError? = nil) {
        let shown: ServiceError
        var details: String?
        switch error {
        case let error as ServiceError: shown = error
        case let error as ValidationFailures:
            shown = .validation(fallback?.message ?? "", error.failures)
        case let error as StoreError:
            details = error.description
            shown = Answers.of(error) ?? fallback ?? .badRequest()
        case let error as FileError:
            details = error.description
            shown = Answers.of(error)
        default:
            details = "\(error)"
            shown = fallback ?? .badRequest()
        }
        request[FailureKey.self] = FailureNote(message: shown.message, details: details)
        json(shown.body.serializedBytes(), status: UInt16(shown.status))
    }

    static let jsonHeaders = [("Content-Type", "application/json")]

    // MARK: - Work

    /// Reads on the event loop when that is quick, else on a worker: a statement that does not finish within the budget
    /// is stopped and run again there, and its kind is remembered.
    /// - Parameters:
    ///   - shape: what the read is known by, e.g. the route, the collection and the filter.
    ///   - body: may run twice; gives the JSON of the answer.
    package func read(
        shape: @autoclosure () -> String, _ body: @escaping @Sendable (Connection) throws -> [UInt8],
        then answer: (@Sendable ([UInt8]) -> Void)? = nil
    ) {
        let answer = answer ?? { json($0) }
        if !services.slowReads.contains(shape()) {
            do {
                let bytes = try engine.data.read { connection in
                    try connection.withBudget(nanoseconds: Services.loopBudget) { try body(connection) }
                }
                return answer(bytes)
            } catch let error as StoreError where error.isBudgetExceeded {
                services.slowReads.insert(shape())
            } catch {
                return fail(error)
            }
        }
        work {
            do { answer(try readWhileOpen(engine.data, body)) } catch { fail(error) }
        }
    }

    /// Reads on the calling thread as long as the client is there: when it goes, the statement that runs is stopped,
    /// and what has not begun does not begin.
    package func readWhileOpen<T>(_ database: Database, _ body: (Connection) throws -> T) throws -> T {
        let gone = ServiceError(status: 499, message: "The client has closed the connection.")
        if request.isClosed { throw gone }
        return try database.read { connection in
            if request.isClosed { throw gone }
            let interrupt = connection.interruptHandle()
            request.onClose { interrupt.interrupt() }
            do { return try body(connection) } catch let error as StoreError where error.isInterrupted { throw gone }
        }
    }

    /// Whether the body is one that takes longer to read than an event loop should be kept.
    package var hasLongBody: Bool { request.body.readableBytes > 64 << 10 }

    /// Runs a body on a worker thread; answers 503 when too much is waiting already.
    package func work(_ body: @escaping @Sendable () -> Void) {
        if !engine.workers.run(body) {
            fail(ServiceError.overloaded)
        }
    }

    /// Runs a body on a thread of its own, for what takes longer than a worker should; answers 503 when there is none.
    package func onThread(_ body: @escaping @Sendable () -> Void) {
        if !SystemThread.start(body) { fail(ServiceError.overloaded) }
    }

    /// Runs a job in a transaction and answers once it is committed.
    package func write<T: Sendable>(
        _ fallback: ServiceError, _ body: @escaping @Sendable (Transaction) throws -> T,
        then answer: @escaping @Sendable (T) -> Void
    ) {
        let exchange = self
        engine.data.write(body) { result in
            switch result {
            case .success(let value): answer(value)
            case .failure(let error): exchange.fail(error, fallback)
            }
        }
    }
}

/// Answers to what the database says.
enum Answers {
    /// The answer to a fault of the file system.
    static func of(_ error: FileError) -> ServiceError {
        error.isFull
            ? ServiceError(status: 507, message: "The disk is full; nothing was changed.")
            : ServiceError(status: 500, message: "A file cannot be written or read; nothing was changed.")
    }

    /// The answer to a fault of the store that is not the client's doing; nil for others.
    static func of(_ error: StoreError) -> ServiceError? {
        if error.isFull { return ServiceError(status: 507, message: "The disk is full; nothing was changed.") }
        if error.isReadOnly { return ServiceError(status: 503, message: "The data folder cannot be written to.") }
        if error.isOverloaded || error.isBusy {
            return ServiceError.overloaded
        }
        if error.isDeadlineExceeded {
            return ServiceError(status: 503, message: "The query took too long and was stopped.")
        }
        if error.isClosed { return ServiceError(status: 503, message: "The server is shutting down.") }
        if error.isIOError || error.isCorrupt {
            return ServiceError(status: 500, message: "The database cannot be read or written.")
        }
        return nil
    }
}

/// Where the identity of a request is kept.
package enum IdentityKey: RequestKey {
    package typealias Value = Identity
}

/// Who a request comes from.
package struct Identity: Sendable {
    package let record: Record
    package init(record: Record) { self.record = record }
}

/// What a failed request leaves for its log line.
struct FailureNote: Sendable {
    var message: String
    var details: String?
}

enum FailureKey: RequestKey {
    typealias Value = FailureNote
}
