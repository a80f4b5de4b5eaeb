internal import PluginABI

/// One call of the host into the plugin. Valid until that call returns, or for a pending request until its answer.
struct Call {
    let raw: OpaquePointer
    let host: Host

    init(_ raw: OpaquePointer, _ host: Host) {
        self.raw = raw
        self.host = host
    }

    /// Copies bytes into memory that the host releases after it has used what the call gave back.
    func scratch(_ bytes: UnsafeBufferPointer<UInt8>) -> roost_bytes? {
        guard bytes.count > 0, let source = bytes.baseAddress else { return roost_bytes() }
        guard let memory = host.raw.pointee.scratch?(raw, UInt64(bytes.count)) else { return nil }
        memory.copyMemory(from: source, byteCount: bytes.count)
        return roost_bytes(data: UnsafePointer(memory.assumingMemoryBound(to: UInt8.self)), length: UInt64(bytes.count))
    }

    func scratch(_ text: String) -> roost_bytes? {
        var text = text
        return text.withUTF8 { scratch($0) }
    }

    func fail(status: Int, code: String, message: String) {
        code.withRoostBytes { code in
            message.withRoostBytes { host.raw.pointee.fail?(raw, Int32(clamping: status), code, $0) }
        }
    }

    func fail(field: String, _ failure: Failure) {
        let params = failure.params.isEmpty ? "" : JSON.object(failure.params).serialized()
        field.withRoostBytes { field in
            failure.code.withRoostBytes { code in
                failure.message.withRoostBytes { message in
                    params.withRoostBytes { host.raw.pointee.fail_field?(raw, field, code, message, $0) }
                }
            }
        }
    }

    /// What hooks of other plugins said with `fail` in this call, as if they had not said it; nil when they were silent.
    func takeFailure() -> ServiceError? {
        var raw = roost_failure_v1()
        guard let take = host.failureTable?.pointee.take, take(self.raw, &raw) == ROOST_OK else { return nil }
        var fields: [String: Failure] = [:]
        for (field, value) in (try? JSONParser.parse(raw.data.buffer))?.objectValue ?? JSONObject() {
            guard let code = value["code"]?.stringValue, let message = value["message"]?.stringValue else { continue }
            var failure = Failure(code, message)
            failure.params = value["params"]?.objectValue ?? JSONObject()
            fields[field] = failure
        }
        return ServiceError(status: Int(raw.http_status), message: raw.message.string, fields: fields)
    }

    /// Runs a handler and turns what it throws into a status: nothing may unwind into the host, and what is not made
    /// for the client fails closed.
    func run(_ body: () throws -> Void) -> roost_status {
        do {
            try body()
            return ROOST_OK
        } catch {
            return report(error)
        }
    }

    func report(_ error: any Error) -> roost_status {
        switch error {
        case let error as ServiceError:
            for (field, failure) in error.fields { fail(field: field, failure) }
            fail(status: error.status, code: "", message: error.message)
            return ROOST_EFAILED
        case let failure as Failure:
            fail(status: 400, code: failure.code, message: failure.message)
            return ROOST_EFAILED
        case let error as HostError:
            if !error.isRefusal { host.log.error("A call into the host failed", ["error": .string(error.description)]) }
            return error.status
        default:
            host.log.error("A plugin's handler failed", ["error": .string(String(describing: error))])
            return ROOST_EINTERNAL
        }
    }
}
