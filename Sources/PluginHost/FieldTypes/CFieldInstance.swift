internal import Engine
internal import PluginABI

private typealias roost_field_query_function =
    @convention(c) (
        UnsafeMutableRawPointer?, UnsafePointer<roost_field_context>?, UnsafePointer<roost_value>?,
        UnsafeMutablePointer<roost_value>?
    ) -> roost_status

/// A field that a plugin opened. Every value that it gives back is checked; one that makes no sense becomes the zero
/// value and is logged once.
///
/// `@unchecked Sendable`: all is constant; the functions of the table may be called from any thread by the ABI.
final class CFieldInstance: FieldInstance, FieldQuery, @unchecked Sendable {
    let shape: FieldShape
    private let type: CFieldType
    private let plugin: LoadedPlugin
    private let opened: UnsafeMutableRawPointer?
    private let fieldName: String
    private let name: StableBytes
    private let table: roost_field_type_v1
    let queryID: Int

    init(type: CFieldType, opened: UnsafeMutableRawPointer?, name: String, shape: FieldShape) {
        self.type = type
        self.opened = opened
        self.shape = shape
        plugin = type.plugin
        table = type.table
        fieldName = name
        self.name = StableBytes(name)
        queryID = type.query == nil ? 0 : FieldQueries.newID()
    }

    deinit {
        if type.query != nil { FieldQueries.remove(queryID) }
        table.close?(opened)
    }

    static func unusable(_ type: String) -> FieldFailure {
        FieldFailure("validation_missing_field_type", "The plugin of the field type \"\(type)\" is not running.")
    }

    func normalise(_ value: Value) -> Value {
        guard plugin.isUsable, let normalise = table.normalise else { return value }
        return withCall(plugin) { call in
            withABIValue(value) { input in
                var context = roost_field_context()
                context.call = call.pointer
                context.name = name.bytes
                var output = roost_value()
                let given = input
                let status = normalise(opened, &context, &input, &output)
                if status == ROOST_UNCHANGED { return accept(value, or: shape.zero, "normalise") }
                guard status == ROOST_OK else {
                    complain("normalise", "status \(status)")
                    return shape.zero
                }
                return read(output, like: given, value, or: shape.zero, "normalise")
            }
        }
    }

    func modify(_ modifier: FieldModifier, current: Value, operand: Value) -> Value? {
        guard plugin.isUsable, let modify = table.modify else { return nil }
        return withCall(plugin) { call in
            withABIValue(current) { currentInput in
                withABIValue(operand) { operandInput in
                    var context = roost_field_context()
                    context.call = call.pointer
                    context.name = name.bytes
                    var output = roost_value()
                    let given = currentInput
                    let status = modify(
                        opened, &context, modifier.rawValue, &currentInput, &operandInput, &output)
                    switch status {
                    case ROOST_UNCHANGED: return current
                    case ROOST_EUNSUPPORTED: return nil
                    case ROOST_OK: return read(output, like: given, current, or: current, "modify")
                    default:
                        complain("modify", "status \(status)")
                        return current
                    }
                }
            }
        }
    }

    func validate(_ value: Value, in context: FieldContext) -> FieldFailure? {
        guard plugin.isUsable else { return Self.unusable(type.id) }
        guard let validate = table.validate else { return nil }
        return withCall(plugin) { call in
            withContext(context, call, moment: 0) { crossing in
                withABIValue(value) { input in
                    let status = validate(opened, &crossing, &input)
                    if status >= 0 { return nil }
                    if status != ROOST_EFAILED || (call.failure == nil && call.fieldFailures.isEmpty) {
                        complain("validate", "status \(status) without a reason")
                    }
                    return call.fieldFailure(fieldName)
                }
            }
        }
    }

    func intercept(_ moment: RecordMoments, in context: FieldContext) throws {
        guard plugin.isUsable else { throw ServiceError.validation("", [fieldName: Self.unusable(type.id)]) }
        guard let intercept = table.intercept else { return }
        try withCall(plugin) { call in
            try withContext(context, call, moment: moment.rawValue) { crossing in
                let status = intercept(opened, &crossing)
                if status < 0 { throw call.error(status, field: fieldName) }
            }
        }
    }

    // MARK: - In queries

    var query: (any FieldQuery)? { type.query == nil ? nil : self }
    var keyUses: FieldKeyUses { FieldKeyUses(rawValue: type.query?.key_uses ?? 0) }
    var casts: Bool { type.query?.cast != nil }
    var counts: Bool { type.query?.count != nil }

    func cast(_ value: Value) throws -> Value {
        guard plugin.isUsable else { throw Self.unusable(type.id) }
        guard let cast = type.query?.cast else { return value }
        return try ask(cast, value, "cast") { status in
            if status != ROOST_EFAILED { complain("cast", "status \(status)") }
            throw FieldFailure.invalidValue
        }
    }

    func key(of value: Value) -> Value {
        guard plugin.isUsable, let key = type.query?.key else { return .null }
        return ask(key, value, "key") { status in
            complain("key", "status \(status)")
            return .null
        }
    }

    func count(of value: Value) -> Int {
        guard plugin.isUsable, let count = type.query?.count else { return 0 }
        return withCall(plugin) { call in
            withABIValue(value) { input in
                var context = roost_field_context()
                context.call = call.pointer
                context.name = name.bytes
                var result: Int64 = 0
                let status = count(opened, &context, &input, &result)
                if status >= 0, result >= 0 { return Int(result) }
                complain("count", status < 0 ? "status \(status)" : "a negative number")
                return 0
            }
        }
    }

    /// Asks for a value in place of another; what is no value is NULL.
    private func ask(
        _ function: roost_field_query_function, _ value: Value, _ label: String,
        failure: (roost_status) throws -> Value
    ) rethrows -> Value {
        try withCall(plugin) { call in
            try withABIValue(value) { input in
                var context = roost_field_context()
                context.call = call.pointer
                context.name = name.bytes
                var output = roost_value()
                let status = function(opened, &context, &input, &output)
                if status == ROOST_UNCHANGED { return value }
                guard status == ROOST_OK else { return try failure(status) }
                if let value = Value(output) { return value }
                complain(label, "a value that is none (kind \(output.kind))")
                return .null
            }
        }
    }

    /// Calls `body` with the context of a call about a record.
    private func withContext<R>(
        _ context: FieldContext, _ call: PluginCall, moment: UInt32,
        _ body: (inout roost_field_context) throws -> R
    ) rethrows -> R {
        try withUnsafePointer(to: context) { pointer in
            call.field = pointer
            call.isIntercepting = moment != 0
            return try withBytes(context.record.collection.id) { collection in
                var crossing = roost_field_context()
                crossing.call = call.pointer
                crossing.name = name.bytes
                crossing.collection = collection
                crossing.record = roost_record(id: call.frame)
                crossing.is_new = context.record.isNew ? 1 : 0
                crossing.moment = moment
                crossing.transaction = roost_transaction(id: call.frame)
                return try body(&crossing)
            }
        }
    }

    /// Reads what the plugin gave for `original`, which it saw as `given`; `other` stands for what makes no sense.
    private func read(
        _ output: roost_value, like given: roost_value, _ original: Value, or other: Value, _ function: String
    ) -> Value {
        // The input given back needs no look: it is checked already.
        if output.kind == given.kind, output.kind >= ROOST_TEXT, output.bytes.isSame(given.bytes) {
            return accept(original, or: other, function)
        }
        guard let value = Value(output) else {
            complain(function, "a value that is none (kind \(output.kind))")
            return other
        }
        return accept(value, or: other, function)
    }

    /// The value, if the column may hold it.
    private func accept(_ value: Value, or other: Value, _ function: String) -> Value {
        if shape.form.admits(value) { return value }
        complain(function, "a value that does not fit the form \(shape.form)")
        return other
    }

    private func complain(_ function: String, _ what: String) {
        plugin.logOnce("The field type \"\(type.id)\" answered \(function) with \(what).")
    }
}
