package import Engine
internal import Glibc
internal import JSON
internal import PluginABI
package import Store
internal import Synchronization

/// The database as a running transaction sees it. On the thread of the transaction only.
package struct RecordTransaction {
    package let connection: Connection
    package let schema: Schema
    /// The transaction to write in; nil where a field is asked about a value on a reading connection.
    package let writing: Transaction?

    package init(connection: Connection, schema: Schema, writing: Transaction? = nil) {
        self.connection = connection
        self.schema = schema
        self.writing = writing
    }
}

/// One call from the host into a plugin: the `roost_call` of the ABI.
///
/// Calls on a thread are its own and used again (``CallThread``). A request's call lives from its handler to its
/// completion. A plugin may use either from threads of its own: what it can reach is looked at and changed under `lock`.
///
/// `@unchecked Sendable`: as just said; the rest belongs to the thread that the host made the call on.
final class PluginCall: @unchecked Sendable {
    /// A failure that the plugin gave with `fail`.
    struct Failure {
        var status: Int
        var code: String
        var message: String
    }

    /// Whether the call is running, so that a late use is an error and no crash.
    // A value passes here on its way to each field type, so that these are not counted and not checked for overlapping
    // accesses: plugins live for ever, and a call is one thread's.
    @exclusivity(unchecked) private(set) var isActive = false
    @exclusivity(unchecked) private(set) var frame: UInt64 = 0
    @exclusivity(unchecked) private(set) unowned(unsafe) var owner: LoadedPlugin?
    /// The context of the field that the call is about: the engine's, there until the call returns.
    @exclusivity(unchecked) var field: UnsafePointer<FieldContext>?
    /// Whether that field acts at a moment of the record's life, and so may write.
    @exclusivity(unchecked) var isIntercepting = false
    /// Whether there is anything of what follows to be let go of at the end.
    @exclusivity(unchecked) private var isPlain = true
    private let lock = Mutex<Void>(())
    private let arena = ScratchArena()

    private(set) var failure: Failure? { didSet { isPlain = false } }
    private(set) var fieldFailures: [(field: String, failure: FieldFailure)] = [] { didSet { isPlain = false } }
    /// The error of the host's that made a function of a table fail: given on as it is when the plugin passes it on.
    private var hostError: (any Error)? { didSet { isPlain = false } }

    // What the frame's handle names.
    private var ownRecord: Record? { didSet { isPlain = false } }
    private var ownTransaction: RecordTransaction? { didSet { isPlain = false } }
    /// The collections that functions without a transaction see, where they are not the committed ones.
    var schema: Schema? { didSet { isPlain = false } }
    var event: (any PluginEvent)? { didSet { isPlain = false } }
    /// The request that the call is about, for rules that look at it.
    var source: (any PluginRequestSource)? { didSet { isPlain = false } }
    private var didNext = false
    private var exchange: PluginExchange?
    /// Record handles made during this call, released with it.
    private var records: [UInt64] = [] { didSet { isPlain = false } }
    /// The same for changes.
    private var changes: [UInt64] = [] { didSet { isPlain = false } }

    /// The record that the call is about.
    var record: Record? {
        get { field?.pointee.record ?? ownRecord }
        set { ownRecord = newValue }
    }

    /// The transaction that the call is in.
    var transaction: RecordTransaction? {
        get {
            field.map { RecordTransaction(connection: $0.pointee.connection, schema: $0.pointee.schema) }
                ?? ownTransaction
        }
        set { ownTransaction = newValue }
    }

    var pointer: OpaquePointer { OpaquePointer(Unmanaged.passUnretained(self).toOpaque()) }

    /// The call behind what a plugin passed; nil when it is over.
    @inline(__always)
    static func from(_ pointer: OpaquePointer?) -> PluginCall? {
        guard let pointer else { return nil }
        let call = Unmanaged<PluginCall>.fromOpaque(UnsafeRawPointer(pointer)).takeUnretainedValue()
        return call.isActive ? call : nil
    }

    @inline(__always)
    func begin(_ plugin: LoadedPlugin, frame: UInt64) {
        owner = plugin
        self.frame = frame
        isActive = true
    }

    @inline(__always)
    func end() { locked { reset() } }

    @inline(__always)
    private func reset() {
        isActive = false
        frame = 0
        field = nil
        isIntercepting = false
        arena.reset()
        if isPlain { return }
        if failure != nil { failure = nil }
        if !fieldFailures.isEmpty { fieldFailures.removeAll() }
        if hostError != nil { hostError = nil }
        if ownRecord != nil { ownRecord = nil }
        if ownTransaction != nil { ownTransaction = nil }
        if schema != nil { schema = nil }
        if source != nil { source = nil }
        if event != nil {
            event = nil
            didNext = false
        }
        if !records.isEmpty {
            for handle in records { RecordHandles.table.remove(handle) }
            records.removeAll(keepingCapacity: true)
        }
        if !changes.isEmpty {
            for handle in changes { ChangesTable.handles.remove(handle) }
            changes.removeAll()
        }
        isPlain = true
    }

    @inline(__always)
    private func locked<R>(_ body: () -> R) -> R { lock.withLock { _ in body() } }

    func scratch(_ size: Int) -> UnsafeMutableRawPointer? { locked { isActive ? arena.allocate(size) : nil } }

    /// A copy of a text that lives until the call ends.
    func copy(_ text: String) -> roost_bytes? { withBytes(text) { copy($0) } }

    func copy(_ bytes: [UInt8]) -> roost_bytes? { bytes.withUnsafeBufferPointer { copy(roost_bytes($0)) } }

    private func copy(_ bytes: roost_bytes) -> roost_bytes? {
        guard let source = bytes.data, bytes.length > 0 else { return roost_bytes() }
        // One step: the call may be over as soon as the lock is free.
        return locked {
            guard isActive, let memory = arena.allocate(Int(bytes.length)) else { return nil }
            memcpy(memory, source, Int(bytes.length))
            return roost_bytes(data: UnsafePointer(memory.assumingMemoryBound(to: UInt8.self)), length: bytes.length)
        }
    }

    /// Has the handle of a change end with this call.
    func atEnd(removing change: UInt64) { locked { changes.append(change) } }

    /// A value whose bytes live until the call ends.
    func copy(_ value: Value) -> roost_value? {
        switch value {
        case .text(let text), .json(let text):
            guard let bytes = copy(text) else { return nil }
            return withABIValue(value) { crossing in
                crossing.bytes = bytes
                return crossing
            }
        case .null, .bool, .number:
            return withABIValue(value) { $0 }
        }
    }

    func fail(status: Int32, code: roost_bytes, message: roost_bytes) {
        let status = (400...599).contains(status) ? Int(status) : 0
        let failure = Failure(status: status, code: code.message, message: message.message)
        locked { self.failure = failure }
    }

    func failField(_ field: roost_bytes, code: roost_bytes, message: roost_bytes, params: roost_bytes) {
        let failure = FieldFailure(code.message, message.message, params: params.object ?? JSONObject())
        let name = field.message
        locked {
            // A plugin that reports without end must not fill the memory.
            if fieldFailures.count < 1000 { fieldFailures.append((name, failure)) }
        }
    }

    /// A handle for a record that lives until the call ends.
    func handle(for record: Record) -> roost_record {
        let id = RecordHandles.table.insert(RecordHandle(record))
        locked { records.append(id) }
        return roost_record(id: id)
    }

    /// Takes over what the plugin said in a call inside of this one.
    func take(failuresOf other: PluginCall) {
        let said = other.said
        locked {
            if let failure = said.failure { self.failure = failure }
            fieldFailures += said.fields
            if let error = said.hostError { hostError = error }
        }
    }

    /// What was said in a call.
    struct Said {
        var failure: Failure?
        var fields: [(field: String, failure: FieldFailure)]
        var hostError: (any Error)?
    }

    var said: Said { locked { Said(failure: failure, fields: fieldFailures, hostError: hostError) } }

    /// Keeps an error of the host's for the plugin to pass on.
    func keep(_ error: any Error) { locked { hostError = error } }

    /// Takes away what the plugin said, and what it would be answered with; nil when it said nothing.
    func takeFailure() -> (code: String, error: ServiceError)? {
        let said = said
        guard said.failure != nil || !said.fields.isEmpty, let error = error(ROOST_EFAILED) as? ServiceError else {
            return nil
        }
        locked {
            failure = nil
            fieldFailures.removeAll()
            hostError = nil
        }
        return (said.failure?.code ?? "", error)
    }

    // Of an event's call, on its thread

    /// Takes the right to run the rest of the chain; it is there once.
    func claimNext() -> Bool {
        if didNext { return false }
        didNext = true
        return true
    }

    /// A handle for the event's request; nil when it has none.
    func eventRequest() -> UInt64? {
        if let exchange { return exchange.handle }
        guard let source = event?.request, let owner else { return nil }
        let exchange = PluginExchange(source: source, plugin: owner, call: self, user: nil, cancelled: nil)
        self.exchange = exchange
        return exchange.handle
    }

    func endEventRequest() {
        exchange?.forget()
        exchange = nil
    }
}

extension PluginCall {
    /// The error of a call that returned a negative status, for the client where the plugin gave words.
    ///
    /// - Parameter field: the field that a failure without a status of its own is about.
    func error(_ status: roost_status, field: String? = nil) -> any Error {
        let said = said
        let (failure, fieldFailures, hostError) = (said.failure, said.fields, said.hostError)
        if status == ROOST_EINTERNAL {
            if let hostError { return hostError }
        } else {
            if !fieldFailures.isEmpty {
                return ServiceError(
                    status: failure.map { $0.status == 0 ? 400 : $0.status } ?? 400,
                    message: failure?.message ?? "An error occurred while validating the submitted data.",
                    data: Dictionary(
                        fieldFailures.map { ($0.field, FailureTree.failure($0.failure)) }, uniquingKeysWith: { $1 }))
            }
            if let failure {
                if let field, failure.status == 0 {
                    return ServiceError.validation(
                        "An error occurred while validating the submitted data.",
                        [field: FieldFailure(failure.code, failure.message)])
                }
                // Other words for a record that the host refused keep what its fields have against it.
                let data = failure.status == 400 ? (hostError as? ServiceError)?.data ?? [:] : [:]
                return ServiceError(
                    status: failure.status == 0 ? 400 : failure.status, message: failure.message, data: data)
            }
            if let hostError { return hostError }
        }
        switch status {
        case ROOST_ENOTFOUND: return ServiceError.notFound()
        case ROOST_EDENIED: return ServiceError.forbidden()
        case ROOST_EINVALID: return ServiceError.badRequest()
        default:
            owner?.log(8, "A call failed without saying why (status \(status)).")
            return ServiceError.internal()
        }
    }

    /// What is wrong with a field's value, for a call that returned a negative status.
    func fieldFailure(_ field: String) -> FieldFailure {
        let said = said
        if let own = said.fields.first(where: { $0.field == field }) ?? said.fields.first { return own.failure }
        if let failure = said.failure { return FieldFailure(failure.code, failure.message) }
        if let failures = said.hostError as? FieldFailure { return failures }
        return .invalidValue
    }

    /// The words that the plugin gave, for the operator.
    var words: String {
        let said = said
        var parts: [String] = []
        if let failure = said.failure { parts.append(failure.message) }
        parts += said.fields.map { "\($0.field): \($0.failure.message)" }
        return parts.joined(separator: "; ")
    }

    /// The words of a command that failed: the plugin's, and behind a colon what the host had against its last call.
    var commandWords: String {
        let words = words
        guard let refusal = said.hostError as? ServiceError else { return words }
        var reasons: [String] = []
        for (field, tree) in refusal.data.sorted(by: { $0.key < $1.key }) {
            if case .failure(let failure) = tree { reasons.append("\(field): \(Sentence.make(failure.message))") }
        }
        let reason = reasons.isEmpty ? Sentence.make(refusal.message) : reasons.joined(separator: "; ")
        return words.isEmpty ? reason : "\(words): \(reason)"
    }

    /// Keeps an error of the host for the plugin to pass on, and says which status stands for it.
    func status(for error: any Error) -> roost_status {
        keep(error)
        guard let error = error as? ServiceError else {
            if error is FieldFailure { return ROOST_EFAILED }
            owner?.log(8, "A call to the server failed: \(error)")
            return ROOST_EINTERNAL
        }
        switch error.status {
        case 404: return ROOST_ENOTFOUND
        case 500...599: return ROOST_EINTERNAL
        default: return ROOST_EFAILED
        }
    }
}
