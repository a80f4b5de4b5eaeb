internal import PluginABI
internal import Synchronization

/// The host as a plugin sees it: its version, the operator's settings for the plugin, and the tables it offers.
///
/// Registration (`route`, `hook`, `fieldType`, …) is for ``Plugin/register(_:)`` only; everything else may be used
/// anywhere and from any thread.
///
/// `@unchecked Sendable`: the stored pointers are the host's tables, which never change and live as long as the
/// process; the call of the registration is guarded by a mutex.
public final class Host: @unchecked Sendable {
    let raw: UnsafePointer<roost_host>
    let recordsTable: UnsafePointer<roost_records_v1>?
    let textTable: UnsafePointer<roost_text_v1>?
    let httpTable: UnsafePointer<roost_http_v1>?
    let hooksTable: UnsafePointer<roost_hooks_v1>?
    let logTable: UnsafePointer<roost_log_v1>?
    let commandsTable: UnsafePointer<roost_commands_v1>?
    let fieldTypesTable: UnsafePointer<roost_field_types_v1>?
    let settingsTable: UnsafePointer<roost_settings_v1>?
    let filesTable: UnsafePointer<roost_files_v1>?
    let httpStreamTable: UnsafePointer<roost_http_stream_v1>?
    let changesTable: UnsafePointer<roost_changes_v1>?
    let failureTable: UnsafePointer<roost_failure_table_v1>?
    private let registration = Mutex<UInt>(0)

    /// The semantic version of the host.
    public let version: String

    init(_ raw: UnsafePointer<roost_host>) {
        self.raw = raw
        func find<Table>(_ id: String, _: Table.Type) -> UnsafePointer<Table>? {
            id.withRoostBytes { raw.pointee.get_table?(raw, $0) }?.assumingMemoryBound(to: Table.self)
        }
        recordsTable = find(ROOST_TABLE_RECORDS, roost_records_v1.self)
        textTable = find(ROOST_TABLE_TEXT, roost_text_v1.self)
        httpTable = find(ROOST_TABLE_HTTP, roost_http_v1.self)
        hooksTable = find(ROOST_TABLE_HOOKS, roost_hooks_v1.self)
        logTable = find(ROOST_TABLE_LOG, roost_log_v1.self)
        commandsTable = find(ROOST_TABLE_COMMAND, roost_commands_v1.self)
        fieldTypesTable = find(ROOST_TABLE_FIELD_TYPE, roost_field_types_v1.self)
        settingsTable = find(ROOST_TABLE_SETTINGS, roost_settings_v1.self)
        filesTable = find(ROOST_TABLE_FILES, roost_files_v1.self)
        httpStreamTable = find(ROOST_TABLE_HTTP_STREAM, roost_http_stream_v1.self)
        changesTable = find(ROOST_TABLE_CHANGES, roost_changes_v1.self)
        failureTable = find(ROOST_TABLE_FAILURE, roost_failure_table_v1.self)
        version = raw.pointee.version.string
    }

    /// The operator's settings for this plugin; empty when there are none.
    public var settings: JSONObject {
        guard let json = try? JSONParser.parse(raw.pointee.settings.buffer) else { return JSONObject() }
        return json.objectValue ?? JSONObject()
    }

    /// The plugin's lines in the server's log.
    public var log: Log { Log(host: self) }

    /// A table of another plugin, or one of the host that this SDK does not wrap; nil when there is none or the
    /// operator has not granted it. It lives as long as the process.
    public func table(_ id: String) -> UnsafeRawPointer? {
        id.withRoostBytes { raw.pointee.get_table?(raw, $0) }
    }

    /// Offers a table to other plugins. Only while registering.
    ///
    /// - Parameters:
    ///   - id: begins with the plugin's own reverse domain.
    ///   - table: must live, with what it points to, as long as the process.
    /// - Throws: ``HostError`` when another plugin offers that id.
    public func offer(_ id: String, table: UnsafeRawPointer) throws {
        try check(id.withRoostBytes { raw.pointee.offer_table?(raw, $0, table) })
    }

    /// Runs work on one of the host's worker threads, where records may be used, and waits for it without holding a
    /// thread. For `async` handlers.
    ///
    /// - Throws: what `body` throws; ``HostError`` when the host takes no more work.
    public func onWorker<Result: Sendable>(
        _ body: @escaping @Sendable (Records) throws -> Result
    ) async throws -> Result {
        guard let run = httpTable?.pointee.run_on_worker else { throw HostError.denied("http") }
        return try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Result, any Error>) in
            let job = Unmanaged.passRetained(
                WorkerJob { raw in
                    let call = Call(raw, self)
                    // On this thread, and before the call ends: results that are Sendable carry nothing of it away.
                    continuation.resume(with: Swift.Result { try body(Records(call)) })
                })
            let status = run(
                raw,
                { user, call in
                    guard let user, let call else { return }
                    Unmanaged<WorkerJob>.fromOpaque(user).takeRetainedValue().body(call)
                }, job.toOpaque())
            if status < 0 {
                job.release()
                continuation.resume(throwing: HostError(status: status))
            }
        }
    }

    /// Runs work on one of the host's worker threads, where records may be used, and does not wait for it.
    ///
    /// - Throws: ``HostError`` when the host takes no more work.
    public func runOnWorker(_ body: @escaping @Sendable (Records) -> Void) throws {
        guard let run = httpTable?.pointee.run_on_worker else { throw HostError.denied(ROOST_TABLE_HTTP) }
        let job = Unmanaged.passRetained(WorkerJob { raw in body(Records(Call(raw, self))) })
        let status = run(
            raw,
            { user, call in
                guard let user, let call else { return }
                Unmanaged<WorkerJob>.fromOpaque(user).takeRetainedValue().body(call)
            }, job.toOpaque())
        if status < 0 {
            job.release()
            throw HostError(status: status)
        }
    }

    // MARK: Registration

    /// Runs the plugin's registration with its call at hand.
    func registering(_ call: Call, _ body: () throws -> Void) rethrows {
        registration.withLock { $0 = UInt(bitPattern: call.raw) }
        defer { registration.withLock { $0 = 0 } }
        try body()
    }

    /// The call of the running registration.
    func registrationCall() throws -> Call {
        guard let raw = OpaquePointer(bitPattern: registration.withLock { $0 }) else {
            throw HostError(status: ROOST_ETHREAD)
        }
        return Call(raw, self)
    }
}

/// A closure on its way to a worker thread.
final class WorkerJob: Sendable {
    let body: @Sendable (OpaquePointer) -> Void
    init(_ body: @escaping @Sendable (OpaquePointer) -> Void) { self.body = body }
}
