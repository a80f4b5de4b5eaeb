internal import Engine
internal import JSON
internal import PluginABI

/// "roost.records/1".
enum RecordsTable {
    static func make() -> roost_records_v1 {
        roost_records_v1(
            get: { record, name, out in
                RecordsTable.value(record, out) { record in name.text.flatMap { RecordsTable.get(record, $0) } }
            },
            get_original: { record, name, out in
                RecordsTable.value(record, out) { record in
                    guard let name = name.text, let index = record.collection.index(of: name) else { return nil }
                    return record.original?[index]
                }
            },
            set: { record, name, value, raw in
                guard let name = name.text, let value = value?.pointee, let value = Value(value) else {
                    return ROOST_EINVALID
                }
                return RecordsTable.set(record, name, value, isRaw: raw != 0)
            },
            is_new: { record in RecordsTable.record(record)?.isNew == true ? 1 : 0 },
            export_json: { call, record, audience, expand, fields, out in
                RecordsTable.text(call, out) { call, records in
                    guard let audience = RecordAudience(rawValue: audience), let expand = expand.text,
                        let fields = fields.text
                    else { return .status(ROOST_EINVALID) }
                    var text = ""
                    let status = try RecordsTable.work(record) { record in
                        text = try records.export(
                            record, audience: audience, expand: expand, fields: fields,
                            request: call.source ?? call.event?.request)
                        return ROOST_OK
                    }
                    return status == ROOST_OK ? .text(text) : .status(status)
                }
            },
            find: { call, transaction, collection, id, out in
                RecordsTable.found(call, transaction, collection, out) { records, collection, transaction in
                    guard let id = id.text else { return nil }
                    return try records.find(collection, id: id, in: transaction)
                }
            },
            find_by: { call, transaction, collection, field, value, ignoreCase, out in
                RecordsTable.found(call, transaction, collection, out) { records, collection, transaction in
                    guard let field = field.text, let value = value?.pointee, let value = Value(value) else {
                        return nil
                    }
                    return try records.find(
                        collection, field: field, equals: value, ignoringCase: ignoreCase != 0, in: transaction)
                }
            },
            list: { call, transaction, collection, filter, sort, parameters, offset, out, count in
                guard let count else { return ROOST_EINVALID }
                let limit = count.pointee
                count.pointee = 0
                return RecordsTable.run(call, waits: true) { call, records in
                    guard let transaction = RecordsTable.transaction(transaction) else { return ROOST_ESTALE }
                    guard let collection = collection.text, let filter = filter.text, let sort = sort.text,
                        let parameters = parameters.object, offset <= 1 << 40, let out, limit > 0, limit <= 1 << 24
                    else { return limit == 0 ? ROOST_OK : ROOST_EINVALID }
                    let found = try records.list(
                        collection, filter: filter, sort: sort, parameters: parameters, offset: Int(offset),
                        limit: Int(limit), in: transaction.value)
                    for (index, record) in found.prefix(Int(limit)).enumerated() {
                        out[index] = call.handle(for: record)
                    }
                    count.pointee = min(UInt64(found.count), limit)
                    return ROOST_OK
                }
            },
            count_ids: { call, transaction, collection, ids, out in
                guard let out else { return ROOST_EINVALID }
                out.pointee = 0
                return RecordsTable.run(call, waits: false) { _, records in
                    guard let transaction = RecordsTable.transaction(transaction) else { return ROOST_ESTALE }
                    guard let collection = collection.text, let buffer = ids.buffer,
                        let items = (try? JSONParser.parse(buffer))?.arrayValue
                    else { return ROOST_EINVALID }
                    let ids = items.compactMap(\.stringValue)
                    out.pointee = UInt64(try records.count(collection, ids: ids, in: transaction.value))
                    return ROOST_OK
                }
            },
            create: { call, collection, out in
                guard let out else { return ROOST_EINVALID }
                out.pointee = roost_record()
                return RecordsTable.run(call, waits: false) { call, records in
                    guard let collection = collection.text else { return ROOST_EINVALID }
                    out.pointee = call.handle(for: try records.create(collection))
                    return ROOST_OK
                }
            },
            save: { call, transaction, record, unchecked in
                RecordsTable.run(call, waits: true) { _, records in
                    guard let transaction = RecordsTable.writing(transaction) else { return ROOST_ESTALE }
                    return try RecordsTable.work(record) { record in
                        try records.save(record, unchecked: unchecked != 0, in: transaction.value)
                        return ROOST_OK
                    }
                }
            },
            remove: { call, transaction, record in
                RecordsTable.run(call, waits: true) { _, records in
                    guard let transaction = RecordsTable.writing(transaction) else { return ROOST_ESTALE }
                    return try RecordsTable.work(record) { record in
                        try records.remove(record, in: transaction.value)
                        return ROOST_OK
                    }
                }
            },
            transaction: { call, body, user in
                guard let body else { return ROOST_EINVALID }
                return RecordsTable.run(call, waits: true) { call, records in
                    RecordsTable.transaction(call, records, body, PluginUser(user, free: nil))
                }
            },
            collection: { call, collection, out in
                guard let call = PluginCall.from(call), let out, let owner = call.owner else { return ROOST_EINVALID }
                out.pointee = roost_bytes()
                guard let name = collection.text else { return ROOST_EINVALID }
                guard let found = RecordsTable.collection(name, call) else { return ROOST_ENOTFOUND }
                let document = CollectionDocument.text(found, includingSecrets: owner.isGranted(.secrets))
                guard let bytes = call.copy(document) else { return ROOST_ENOMEM }
                out.pointee = bytes
                return ROOST_OK
            },
            matches: { call, record, rule, auth, context, out in
                guard let out else { return ROOST_EINVALID }
                out.pointee = 0
                return RecordsTable.run(call, waits: false) { call, records in
                    guard let rule = rule.text, let context = context.text else { return ROOST_EINVALID }
                    func matches(_ auth: Record?) throws -> roost_status {
                        try RecordsTable.work(record) { record in
                            let isMatch = try records.matches(
                                record, rule: rule, auth: auth, context: context,
                                request: call.source ?? call.event?.request)
                            out.pointee = isMatch ? 1 : 0
                            return ROOST_OK
                        }
                    }
                    return auth.id == 0 ? try matches(nil) : try RecordsTable.work(auth) { try matches($0) }
                }
            })
    }

    // Handles

    /// The record of a handle, to look at what does not change of it; nil when it is over or another thread's.
    static func record(_ handle: roost_record) -> Record? {
        if CallThread.isFrame(handle.id) { return CallThread.current.frame(handle.id)?.record }
        return RecordHandles.table.find(handle.id)?.use { $0 }
    }

    /// Runs a body with the record of a handle, which other threads are kept from until it is done.
    static func work(_ handle: roost_record, _ body: (Record) throws -> roost_status) rethrows -> roost_status {
        if CallThread.isFrame(handle.id) {
            guard let record = CallThread.current.frame(handle.id)?.record else { return ROOST_ESTALE }
            return try body(record)
        }
        guard let entry = RecordHandles.table.find(handle.id) else { return ROOST_ESTALE }
        return try entry.work(body) ?? ROOST_ETHREAD
    }

    /// The same for a body that is over at once and calls nobody.
    private static func use(_ handle: roost_record, _ body: (Record) -> roost_status) -> roost_status {
        if CallThread.isFrame(handle.id) { return work(handle, body) }
        guard let entry = RecordHandles.table.find(handle.id) else { return ROOST_ESTALE }
        return entry.use(body) ?? ROOST_ETHREAD
    }

    /// What a transaction handle stands for: {0} for none; nil when it is over.
    private static func transaction(_ handle: roost_transaction) -> (value: RecordTransaction?, Void)? {
        if handle.id == 0 { return (nil, ()) }
        return CallThread.current.frame(handle.id)?.transaction.map { ($0, ()) }
    }

    /// The same for writing: on the thread of a running transaction everything that is written belongs to it, as
    /// another one could not begin before it ends.
    static func writing(_ handle: roost_transaction) -> (value: RecordTransaction?, Void)? {
        let thread = CallThread.current
        if handle.id == 0 { return (thread.role == .writer ? thread.writing : nil, ()) }
        // A field that acts is called with the connection alone; on the writer's thread the engine finds the
        // transaction itself.
        if thread.frame(handle.id)?.isIntercepting == true { return (thread.writing, ()) }
        return transaction(handle)
    }

    static func collection(_ name: String, _ call: PluginCall) -> Collection? {
        if let schema = call.schema ?? call.transaction?.schema { return schema.collection(name) }
        return call.owner?.services.records?.collection(name, in: nil)
    }

    // Values

    private static let extraPrefix = "extra:"

    private static func get(_ record: Record, _ name: String) -> Value? {
        if let index = record.collection.index(of: name) { return record.values[index] }
        switch name {
        case "collectionId": return .text(record.collection.id)
        case "collectionName": return .text(record.collection.name)
        default: return name.hasPrefix(extraPrefix) ? record.extra[String(name.dropFirst(extraPrefix.count))] : nil
        }
    }

    private static func set(_ handle: roost_record, _ name: String, _ value: Value, isRaw: Bool) -> roost_status {
        var collection: Collection?
        let status = use(handle) { record in
            collection = record.collection
            return ROOST_OK
        }
        guard status == ROOST_OK, let collection else { return status }
        guard let index = collection.index(of: name) else {
            guard name.hasPrefix(extraPrefix) else { return ROOST_ENOTFOUND }
            return use(handle) { record in
                record.extra[String(name.dropFirst(extraPrefix.count))] = value
                return ROOST_OK
            }
        }
        let field = collection.fields[index]
        if !isRaw, field.shape.isReadOnly { return ROOST_OK }
        if isRaw, !field.shape.form.admits(value) { return ROOST_EINVALID }
        // The field's type may be a plugin, which is not called with the record held.
        let kept = isRaw ? value : field.instance.normalise(value)
        return use(handle) { record in
            record.values[index] = kept
            return ROOST_OK
        }
    }

    /// Gives a value of a record, with bytes that live as long as the handle.
    private static func value(
        _ handle: roost_record, _ out: UnsafeMutablePointer<roost_value>?, _ get: (Record) -> Value?
    ) -> roost_status {
        guard let out else { return ROOST_EINVALID }
        out.pointee = roost_value()
        let copy: roost_value?
        if CallThread.isFrame(handle.id) {
            guard let call = CallThread.current.frame(handle.id), let record = call.record else { return ROOST_ESTALE }
            guard let value = get(record) else { return ROOST_ENOTFOUND }
            copy = call.copy(value)
        } else {
            guard let entry = RecordHandles.table.find(handle.id) else { return ROOST_ESTALE }
            guard let found = entry.use(get) else { return ROOST_ETHREAD }
            guard let value = found else { return ROOST_ENOTFOUND }
            copy = entry.copy(value)
        }
        guard let copy else { return ROOST_ENOMEM }
        out.pointee = copy
        return ROOST_OK
    }

    // Calls

    /// Runs a function of the record host for a plugin, with its errors kept in the call.
    ///
    /// - Parameter waits: whether the function may take its time, so that an event loop may not call it.
    static func run(
        _ pointer: OpaquePointer?, waits: Bool, _ body: (PluginCall, any RecordHost) throws -> roost_status
    ) -> roost_status {
        guard let call = PluginCall.from(pointer), let owner = call.owner else { return ROOST_EINVALID }
        guard let records = owner.services.records else { return ROOST_EUNSUPPORTED }
        if waits, ThreadRole.current == .loop { return ROOST_ETHREAD }
        do {
            return try body(call, records)
        } catch {
            return call.status(for: error)
        }
    }

    private enum TextResult {
        case text(String)
        case status(roost_status)
    }

    private static func text(
        _ pointer: OpaquePointer?, _ out: UnsafeMutablePointer<roost_bytes>?,
        _ body: (PluginCall, any RecordHost) throws -> TextResult
    ) -> roost_status {
        guard let out else { return ROOST_EINVALID }
        out.pointee = roost_bytes()
        return run(pointer, waits: false) { call, records in
            switch try body(call, records) {
            case .status(let status): return status
            case .text(let text):
                guard let bytes = call.copy(text) else { return ROOST_ENOMEM }
                out.pointee = bytes
                return ROOST_OK
            }
        }
    }

    private static func found(
        _ pointer: OpaquePointer?, _ handle: roost_transaction, _ collection: roost_bytes,
        _ out: UnsafeMutablePointer<roost_record>?,
        _ find: (any RecordHost, String, RecordTransaction?) throws -> Record?
    ) -> roost_status {
        guard let out else { return ROOST_EINVALID }
        out.pointee = roost_record()
        return run(pointer, waits: false) { call, records in
            guard let transaction = transaction(handle) else { return ROOST_ESTALE }
            guard let collection = collection.text else { return ROOST_EINVALID }
            guard let record = try find(records, collection, transaction.value) else { return ROOST_ENOTFOUND }
            out.pointee = call.handle(for: record)
            return ROOST_OK
        }
    }

    /// What makes a transaction roll back that the plugin's body refused.
    private struct Refusal: Error {
        var status: roost_status
    }

    private static func transaction(
        _ call: PluginCall, _ records: any RecordHost, _ body: roost_transaction_body, _ user: PluginUser
    ) -> roost_status {
        guard let plugin = call.owner else { return ROOST_EINVALID }
        do {
            try records.transaction(in: CallThread.current.writing) { transaction in
                try ThreadRole.with(.writer) {
                    try withCall(plugin) { inner in
                        inner.transaction = transaction
                        let status = body(user.pointer, inner.pointer, roost_transaction(id: inner.frame))
                        if status < 0 {
                            call.take(failuresOf: inner)
                            throw Refusal(status: status)
                        }
                    }
                }
            }
            return ROOST_OK
        } catch let refusal as Refusal {
            return refusal.status
        } catch {
            // The body was content, so that it is the commit that failed.
            _ = call.status(for: error)
            return ROOST_EINTERNAL
        }
    }
}
