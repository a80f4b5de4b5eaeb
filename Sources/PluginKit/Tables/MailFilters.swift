internal import PluginABI
internal import Synchronization

/// What other plugins do to mail before it is sent.
final class MailFilters: Sendable {
    /// `@unchecked Sendable`: the adder's for ever, by the contract of "roost/mailer.h".
    private struct Filter: @unchecked Sendable {
        let priority: Int32
        let run: roost_mail_filter
        let user: UnsafeMutableRawPointer?
    }

    private let filters = Mutex<[Filter]>([])

    func add(_ priority: Int32, _ filter: @escaping roost_mail_filter, _ user: UnsafeMutableRawPointer?) {
        let added = Filter(priority: priority, run: filter, user: user)
        filters.withLock { filters in
            filters.insert(added, at: filters.firstIndex { $0.priority > priority } ?? filters.count)
        }
    }

    /// The message as it is to be sent.
    func run(_ message: roost_bytes, _ call: Call) throws -> MailMessage {
        var current = message
        // Few or none: a copy, so that a filter may take its time.
        for filter in filters.withLock({ $0 }) {
            var out = roost_bytes()
            let status = try check(filter.run(filter.user, call.raw, current, &out))
            if status == ROOST_OK { current = out }
        }
        guard let json = try? JSONParser.parse(current.buffer), let message = MailMessage(json) else {
            throw HostError(status: ROOST_EINVALID)
        }
        return message
    }
}

extension Host {
    /// Looks at every mail before it is sent. Only while registering; plugin.json names "roost.mailer/1" among the
    /// tables that it needs.
    ///
    /// - Parameters:
    ///   - priority: filters run in ascending order.
    ///   - filter: returns the message as it is to be sent; what it throws keeps it from being sent.
    public func filterMail(
        priority: Int = 0, _ filter: @escaping @Sendable (MailMessage) throws -> MailMessage
    ) throws {
        guard let table = table(ROOST_TABLE_MAILER)?.assumingMemoryBound(to: roost_mailer_v1.self) else {
            throw HostError.denied(ROOST_TABLE_MAILER)
        }
        let box = Unmanaged.passRetained(FilterBox(self, filter))
        try check(
            table.pointee.add_filter?(
                table.pointee.mailer, raw, Int32(clamping: priority),
                { user, raw, message, out in
                    guard let user, let raw, let out else { return ROOST_EINVALID }
                    let box = Unmanaged<FilterBox>.fromOpaque(user).takeUnretainedValue()
                    let call = Call(raw, box.host)
                    return call.run {
                        guard let message = MailMessage(try JSONParser.parse(message.buffer)) else {
                            throw HostError(status: ROOST_EINVALID)
                        }
                        let bytes = try box.filter(message).json.serializedBytes()
                        guard let copy = bytes.withUnsafeBufferPointer({ call.scratch($0) }) else {
                            throw HostError(status: ROOST_ENOMEM)
                        }
                        out.pointee = copy
                    }
                }, box.toOpaque()))
    }
}

private final class FilterBox: Sendable {
    let host: Host
    let filter: @Sendable (MailMessage) throws -> MailMessage

    init(_ host: Host, _ filter: @escaping @Sendable (MailMessage) throws -> MailMessage) {
        self.host = host
        self.filter = filter
    }
}
