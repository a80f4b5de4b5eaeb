internal import PluginABI

/// The plugin's lines in the server's log (`_logs`). Any thread; never waits.
public struct Log: Sendable {
    let host: Host

    public func debug(_ message: String, _ data: JSONObject = [:]) { write(ROOST_LOG_DEBUG, message, data) }
    public func info(_ message: String, _ data: JSONObject = [:]) { write(ROOST_LOG_INFO, message, data) }
    public func warn(_ message: String, _ data: JSONObject = [:]) { write(ROOST_LOG_WARN, message, data) }
    public func error(_ message: String, _ data: JSONObject = [:]) { write(ROOST_LOG_ERROR, message, data) }

    /// Whether debug lines are kept: saves making their text.
    public var isDebugEnabled: Bool { host.logTable?.pointee.enabled?(host.raw, ROOST_LOG_DEBUG) == 1 }

    private func write(_ level: Int32, _ message: String, _ data: JSONObject) {
        guard let table = host.logTable, table.pointee.enabled?(host.raw, level) != 0 else { return }
        let data = data.isEmpty ? "" : JSON.object(data).serialized()
        message.withRoostBytes { message in
            data.withRoostBytes { table.pointee.write?(host.raw, level, message, $0) }
        }
    }
}
