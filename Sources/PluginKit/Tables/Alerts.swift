internal import PluginABI

/// What operators must hear of though nobody looks at the log, as "roost/alerts.h" describes it.
public struct Alert: Sendable, Equatable {
    /// What it is about, for whoever sorts alerts, e.g. `backup`.
    public var kind: String
    public var subject: String
    /// What happened, in plain text.
    public var details: String

    public init(kind: String, subject: String, details: String) {
        self.kind = kind
        self.subject = subject
        self.details = details
    }

    init?(_ json: JSON) {
        guard let kind = json["kind"]?.stringValue, let subject = json["subject"]?.stringValue,
            let details = json["details"]?.stringValue
        else { return nil }
        self.init(kind: kind, subject: subject, details: details)
    }
}

extension Host {
    private func alerts() throws -> UnsafePointer<roost_alerts_v1> {
        guard let table = table(ROOST_TABLE_ALERTS)?.assumingMemoryBound(to: roost_alerts_v1.self) else {
            throw HostError.denied(ROOST_TABLE_ALERTS)
        }
        return table
    }

    /// Has a function told of alerts, the server's and those of other plugins. While registering.
    ///
    /// - Parameter told: runs on a thread that may wait; several may run at the same time. What it throws is logged.
    public func onAlert(_ told: @escaping @Sendable (Alert, Records) throws -> Void) throws {
        let table = try alerts()
        let box = Unmanaged.passRetained(AlertBox(self, told))
        var listener = roost_alert_listener_v1()
        listener.user = box.toOpaque()
        listener.handler = { user, raw, alert in
            guard let user, let raw, let json = try? JSONParser.parse(Array(alert.buffer)), let alert = Alert(json)
            else {
                return ROOST_EINVALID
            }
            let box = Unmanaged<AlertBox>.fromOpaque(user).takeUnretainedValue()
            let call = Call(raw, box.host)
            return call.run { try box.told(alert, Records(call)) }
        }
        listener.free = { user in
            if let user { Unmanaged<AlertBox>.fromOpaque(user).release() }
        }
        let status = withUnsafePointer(to: listener) { table.pointee.listen?(raw, $0) }
        if (status ?? ROOST_EUNSUPPORTED) < 0 { box.release() }
        try check(status)
    }

    /// Tells all who listen for alerts, and returns at once.
    ///
    /// - Throws: ``HostError`` for an alert without kind, subject or details, outside of a server, and when too many are on
    ///   their way.
    public func raise(_ alert: Alert) throws {
        let table = try alerts()
        let json: JSON = [
            "kind": .string(alert.kind), "subject": .string(alert.subject), "details": .string(alert.details),
        ]
        try check(json.serialized().withRoostBytes { table.pointee.raise?(raw, $0) })
    }
}

private final class AlertBox: Sendable {
    let host: Host
    let told: @Sendable (Alert, Records) throws -> Void

    init(_ host: Host, _ told: @escaping @Sendable (Alert, Records) throws -> Void) {
        self.host = host
        self.told = told
    }
}
