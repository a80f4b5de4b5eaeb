internal import Engine
internal import JSON
internal import PluginABI

/// "roost.failure/1".
enum FailureTable {
    static func make() -> roost_failure_table_v1 {
        roost_failure_table_v1(
            take: { call, out in
                guard let call = PluginCall.from(call), let out else { return ROOST_EINVALID }
                out.pointee = roost_failure_v1()
                guard let taken = call.takeFailure() else { return ROOST_ENOTFOUND }
                let data = JSON.object(JSONObject(taken.error.data.mapValues(\.json).sorted { $0.key < $1.key }))
                guard let code = call.copy(taken.code), let message = call.copy(taken.error.message),
                    let data = call.copy(data.serializedBytes())
                else { return ROOST_ENOMEM }
                out.pointee.http_status = Int32(taken.error.status)
                out.pointee.code = code
                out.pointee.message = message
                out.pointee.data = data
                return ROOST_OK
            }, reserved: 0)
    }
}
