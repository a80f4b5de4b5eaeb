internal import PluginABI

/// A request in the host's hands. Valid until its handler returns.
///
/// `@unchecked Sendable`: the host checks the handle by its generation on every call, from any thread, and keeps the
/// call of a pending request until it is answered.
public struct HTTPRequest: @unchecked Sendable {
    let raw: roost_request
    let call: Call

    init(_ raw: roost_request, _ call: Call) {
        self.raw = raw
        self.call = call
    }

    private var table: UnsafePointer<roost_http_v1>? { call.host.httpTable }

    private func part(_ read: (inout roost_bytes) -> roost_status?) -> roost_bytes? {
        var out = roost_bytes()
        guard let status = read(&out), status >= 0 else { return nil }
        return out
    }

    public var host: Host { call.host }
    public var method: String { part { table?.pointee.method?(raw, &$0) }?.string ?? "" }
    public var path: String { part { table?.pointee.path?(raw, &$0) }?.string ?? "" }

    /// What stands in the path for `{name}`.
    public func parameter(_ name: String) -> String? {
        part { out in name.withRoostBytes { table?.pointee.parameter?(raw, $0, &out) } }?.string
    }

    /// The first query parameter of the name.
    public func query(_ name: String) -> String? {
        part { out in name.withRoostBytes { table?.pointee.query?(raw, $0, &out) } }?.string
    }

    /// The first header of the name, in any case.
    public func header(_ name: String) -> String? {
        part { out in name.withRoostBytes { table?.pointee.header?(raw, $0, &out) } }?.string
    }

    /// The body as it came.
    public var body: [UInt8] { part { table?.pointee.body?(raw, &$0) }.map { [UInt8]($0.buffer) } ?? [] }

    /// The body as a JSON object, whether it came as JSON, as a form or as multipart.
    ///
    /// - Throws: when it is malformed; let it pass to answer 400.
    public func json() throws -> JSONObject {
        var out = roost_bytes()
        try check(table?.pointee.body_json?(call.raw, raw, &out))
        return try JSONParser.parse(out.buffer).objectValue ?? JSONObject()
    }

    /// The client's address, honouring the trusted proxy settings.
    public var remoteIP: String { part { table?.pointee.remote_ip?(raw, &$0) }?.string ?? "" }

    /// The signed-in record; nil for a guest.
    public var auth: Record? {
        var out = roost_record()
        guard let status = table?.pointee.auth?(call.raw, raw, &out), status >= 0 else { return nil }
        return Record(out, call)
    }

    /// Records, for handlers that run on a worker. See ``Records``.
    public var records: Records { Records(call) }

    /// Whether an answer would still reach the client.
    public var isOpen: Bool { table?.pointee.is_open?(raw) == 1 }

    /// Adds a header to the coming answer.
    public func setHeader(_ name: String, _ value: String) {
        _ = name.withRoostBytes { name in value.withRoostBytes { table?.pointee.set_header?(raw, name, $0) } }
    }

    func respond(_ response: HTTPResponse) throws {
        if response.status == 0 { return }
        for (name, value) in response.headers { setHeader(name, value) }
        try check(
            response.contentType.withRoostBytes { type in
                response.body.withRoostBytes {
                    table?.pointee.respond?(raw, Int32(clamping: response.status), type, $0)
                }
            })
    }

    /// Answers a pending request with an error, in PocketBase's form.
    func respond(error: any Error) {
        let answer: ServiceError
        switch error {
        case let error as ServiceError: answer = error
        case let failure as Failure: answer = .badRequest(failure.message)
        case let error as HostError where error.isNotFound: answer = .notFound()
        case let error as HostError where error.isRefusal: answer = .badRequest()
        // The client is gone, and nobody waits for an answer; it is given all the same, for the host to let go of the
        // request.
        case let error as HostError where error.isStale: answer = ServiceError(status: 500)
        case is CancellationError where !isOpen: answer = ServiceError(status: 500)
        default:
            host.log.error("A plugin's handler failed", ["error": .string(String(describing: error))])
            answer = ServiceError(status: 500)
        }
        let data = JSON.object(answer.data).serialized()
        _ = answer.message.withRoostBytes { message in
            data.withRoostBytes {
                table?.pointee.respond_error?(raw, Int32(clamping: answer.status), message, $0)
            }
        }
    }
}
