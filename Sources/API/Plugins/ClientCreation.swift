import Engine
import JSON
import Store

/// A record that is created inside a plugin's transaction as the client of a request would have created it.
struct ClientCreation: Sendable {
    let exchange: Exchange
    let collection: Collection
    /// What `@request.context` reads.
    let context: String
    let uploads: Uploads?

    func run(_ body: JSONObject, in transaction: Transaction) throws -> Record {
        let engine = exchange.engine
        var info = exchange.completeInfo()
        info.context = context
        info.method = "POST"
        info.query = [:]
        var values = body.map { (key: $0.key, value: Value($0.value)) }
        // Who comes by way of another service has no password to give.
        let hasOwnPassword = context != "oauth2" || body["password"] != nil
        if !hasOwnPassword {
            let password = Value.text(RandomText.make(30))
            values += [(key: "password", value: password), (key: "passwordConfirm", value: password)]
        }
        let loading = RecordService(schema: engine.schema, hooks: engine.hooks, plans: engine.plans, info: info)
        let (record, service, isManager) = try loading.create(
            collection, body: RequestBody(values: values, uploads: uploads), on: transaction.connection)
        var isSaved = false
        try service.hooks.trigger(
            .recordCreateRequest, collection: collection, record: record, info: service.info,
            request: exchange.request
        ) {
            let failures = AuthForm.failures(
                of: record, body: service.info.body, isManager: isManager, verifyPassword: Passwords.verify)
            if !failures.isEmpty { throw ValidationFailures(failures) }
            try save(record, service, in: transaction, checksPassword: hasOwnPassword)
            isSaved = true
        }
        guard isSaved else { throw ServiceError.badRequest("Failed to create record") }
        return record
    }

    /// Saves the record; what its field has against a password that nobody chose does not count.
    private func save(
        _ record: Record, _ service: RecordService, in transaction: Transaction, checksPassword: Bool
    ) throws {
        do {
            try service.saver.save(record, in: transaction)
        } catch let error as ValidationFailures where !checksPassword && Array(error.failures.keys) == ["password"] {
            try service.saver.save(record, in: transaction, validates: false)
        }
    }
}
