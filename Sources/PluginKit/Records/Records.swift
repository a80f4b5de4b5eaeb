internal import PluginABI

/// Records as trusted code sees them: no rule is applied. Valid until the call that it came from ends.
///
/// Everything but ``create(in:)``, ``collection(_:)`` and ``matches(_:rule:auth:context:)`` needs a worker thread or the
/// writer's: a route handler that uses it is registered with `run: .worker`, an `async` one goes through
/// ``Host/onWorker(_:)``.
public struct Records {
    let call: Call
    let transaction: roost_transaction

    init(_ call: Call, _ transaction: roost_transaction = roost_transaction()) {
        self.call = call
        self.transaction = transaction
    }

    public var host: Host { call.host }

    private func table() throws -> roost_records_v1 {
        guard let table = call.host.recordsTable else { throw HostError.denied(ROOST_TABLE_RECORDS) }
        return table.pointee
    }

    /// Nil for "not found", the value otherwise.
    private func optional<Result>(_ status: roost_status?, _ value: () -> Result) throws -> Result? {
        if status == ROOST_ENOTFOUND { return nil }
        try check(status)
        return value()
    }

    /// The record of an id; nil when there is none.
    public func find(_ collection: String, id: String) throws -> Record? {
        var out = roost_record()
        let table = try table()
        let status = collection.withRoostBytes { collection in
            id.withRoostBytes { table.find?(call.raw, transaction, collection, $0, &out) }
        }
        return try optional(status) { Record(out, call) }
    }

    /// The first record whose field has the value.
    ///
    /// - Parameter ignoreCase: compares ASCII letters without case.
    public func first(
        _ collection: String, where field: String, is value: Value, ignoreCase: Bool = false
    ) throws -> Record? {
        var out = roost_record()
        let table = try table()
        let status = collection.withRoostBytes { collection in
            field.withRoostBytes { field in
                value.withRoostValue {
                    table.find_by?(call.raw, transaction, collection, field, $0, ignoreCase ? 1 : 0, &out)
                }
            }
        }
        return try optional(status) { Record(out, call) }
    }

    /// The records that match a filter.
    ///
    ///     try records.list("posts", filter: "author = {:author}", sort: "-created", parameters: ["author": "abc"])
    ///
    /// - Parameters:
    ///   - parameters: values for `{:name}` in the filter, never put together as text.
    ///   - limit: how many at most.
    public func list(
        _ collection: String, filter: String = "", sort: String = "", parameters: JSONObject = [:], offset: Int = 0,
        limit: Int = 1000
    ) throws -> [Record] {
        let table = try table()
        var count = UInt64(clamping: limit)
        let parameters = parameters.isEmpty ? "" : JSON.object(parameters).serialized()
        var status: roost_status?
        let found = [roost_record](unsafeUninitializedCapacity: max(limit, 0)) { buffer, initialised in
            status = collection.withRoostBytes { collection in
                filter.withRoostBytes { filter in
                    sort.withRoostBytes { sort in
                        parameters.withRoostBytes {
                            table.list?(
                                call.raw, transaction, collection, filter, sort, $0, UInt64(clamping: offset),
                                buffer.baseAddress, &count)
                        }
                    }
                }
            }
            initialised = (status ?? ROOST_EUNSUPPORTED) < 0 ? 0 : min(Int(clamping: count), max(limit, 0))
        }
        try check(status)
        return found.map { Record($0, call) }
    }

    /// How many of the ids exist in the collection.
    public func count(ids: [String], in collection: String) throws -> Int {
        guard case .json(let list) = Value(list: ids) else { return 0 }
        return try list.withRoostBytes { try count(idsJSON: $0, in: collection) }
    }

    func count(idsJSON: roost_bytes, in collection: String) throws -> Int {
        let table = try table()
        var out: UInt64 = 0
        try check(collection.withRoostBytes { table.count_ids?(call.raw, transaction, $0, idsJSON, &out) })
        return Int(clamping: out)
    }

    /// Compiles a pattern. For one that is used often, keep it.
    public func compile(_ pattern: String) throws -> Pattern { try Pattern(pattern, call) }

    /// A new record in memory.
    public func create(in collection: String) throws -> Record {
        let table = try table()
        var out = roost_record()
        try check(collection.withRoostBytes { table.create?(call.raw, $0, &out) })
        return Record(out, call)
    }

    /// Validates and writes a record; outside a transaction it returns after the commit.
    ///
    /// - Parameter unchecked: true skips the validation.
    /// - Throws: ``HostError`` with ``HostError/isRefusal`` when it is not valid; let it pass to answer with the
    ///   failures of its fields.
    public func save(_ record: Record, unchecked: Bool = false) throws {
        try check(try table().save?(call.raw, transaction, record.raw, unchecked ? 1 : 0))
    }

    /// Deletes a record with all that cascades.
    public func delete(_ record: Record) throws {
        try check(try table().remove?(call.raw, transaction, record.raw))
    }

    /// Runs `body` inside a transaction, which is rolled back when it throws; nested ones are savepoints. The thread
    /// that writes runs it: be brief.
    public func transaction<Result>(_ body: (Records) throws -> Result) throws -> Result {
        let table = try table()
        return try withoutActuallyEscaping(body) { body in
            var outcome: Swift.Result<Result, any Error>?
            let job = TransactionJob { raw, transaction in
                let call = Call(raw, host)
                outcome = Swift.Result { try body(Records(call, transaction)) }
                if case .failure(let error) = outcome {
                    // The words are given where the error ends up; here only the roll-back counts.
                    return (error as? HostError)?.status ?? ROOST_EFAILED
                }
                return ROOST_OK
            }
            let status = table.transaction?(
                call.raw,
                { user, raw, transaction in
                    guard let user, let raw else { return ROOST_EINVALID }
                    return Unmanaged<TransactionJob>.fromOpaque(user).takeUnretainedValue().body(raw, transaction)
                }, Unmanaged.passUnretained(job).toOpaque())
            if case .failure(let error) = outcome { throw error }
            try check(status)
            guard case .success(let result) = outcome else { throw HostError(status: ROOST_EINTERNAL) }
            return result
        }
    }

    /// A collection as JSON; nil when there is none. With the capability "secrets" its token secrets are in it.
    public func collection(_ nameOrID: String) throws -> JSON? {
        try withCollection(nameOrID) { try JSONParser.parse($0) }
    }

    /// Looks at a collection's JSON text, for code that keeps what it read of it and only compares; nil when there is no
    /// such collection.
    ///
    /// - Parameter body: gets the text, which lives as long as the call.
    public func withCollection<Result>(
        _ nameOrID: String, _ body: (UnsafeBufferPointer<UInt8>) throws -> Result
    ) throws -> Result? {
        let table = try table()
        var out = roost_bytes()
        let status = nameOrID.withRoostBytes { table.collection?(call.raw, $0, &out) }
        guard let text = try optional(status, { out.buffer }) else { return nil }
        return try body(text)
    }

    /// Whether a rule matches a stored record as somebody sees it.
    ///
    /// - Parameters:
    ///   - auth: nil for a guest.
    ///   - context: what `@request.context` reads.
    public func matches(_ record: Record, rule: String, auth: Record?, context: String = "default") throws -> Bool {
        let table = try table()
        var out: UInt32 = 0
        try check(
            rule.withRoostBytes { rule in
                context.withRoostBytes {
                    table.matches?(call.raw, record.raw, rule, auth?.raw ?? roost_record(), $0, &out)
                }
            })
        return out == 1
    }
}

/// The body of a transaction. Lives on the stack of the thread that waits for it.
private final class TransactionJob {
    let body: (OpaquePointer, roost_transaction) -> roost_status
    init(_ body: @escaping (OpaquePointer, roost_transaction) -> roost_status) { self.body = body }
}
