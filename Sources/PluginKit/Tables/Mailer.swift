internal import PluginABI

/// Somebody that mail comes from or goes to.
public struct MailAddress: Sendable, Equatable {
    public var name: String
    public var address: String

    public init(_ address: String, name: String = "") {
        self.address = address
        self.name = name
    }

    init(_ json: JSON) {
        self.init(json["address"]?.stringValue ?? "", name: json["name"]?.stringValue ?? "")
    }

    var json: JSON { ["name": .string(name), "address": .string(address)] }
}

/// A mail, as "roost/mailer.h" describes it.
public struct MailMessage: Sendable, Equatable {
    /// A file that goes along.
    public struct Attachment: Sendable, Equatable {
        public var name: String
        /// Its MIME type.
        public var type: String
        /// Whether the HTML shows it, by `cid:` and its name.
        public var isInline: Bool
        /// In base64.
        public var content: String
    }

    /// nil for the settings' sender.
    public var from: MailAddress?
    public var to: [MailAddress]
    public var cc: [MailAddress] = []
    public var bcc: [MailAddress] = []
    public var subject: String
    public var html: String
    /// Made from the HTML when it is empty.
    public var text: String
    public var headers: [(name: String, value: String)] = []
    public var attachments: [Attachment] = []
    /// What the mail is for, e.g. `verification`. Only filters see this and what follows.
    public var kind = ""
    public var collection = ""
    public var record = ""
    public var meta = JSONObject()

    public init(to: [MailAddress], subject: String, html: String = "", text: String = "") {
        self.to = to
        self.subject = subject
        self.html = html
        self.text = text
    }

    /// - Returns: nil for what is no message: a JSON that is no object, or has members of other types.
    public init?(_ json: JSON) {
        guard case .object(let object) = json else { return nil }
        func addresses(_ key: String) -> [MailAddress] { (object[key]?.arrayValue ?? []).map { MailAddress($0) } }
        self.init(
            to: addresses("to"), subject: object["subject"]?.stringValue ?? "",
            html: object["html"]?.stringValue ?? "", text: object["text"]?.stringValue ?? "")
        from = object["from"].map { MailAddress($0) }
        cc = addresses("cc")
        bcc = addresses("bcc")
        for (name, value) in object["headers"]?.objectValue ?? JSONObject() {
            guard let value = value.stringValue else { return nil }
            headers.append((name, value))
        }
        for file in object["attachments"]?.arrayValue ?? [] {
            guard let content = file["content"]?.stringValue else { return nil }
            attachments.append(
                Attachment(
                    name: file["name"]?.stringValue ?? "", type: file["type"]?.stringValue ?? "",
                    isInline: file["inline"]?.boolValue ?? false, content: content))
        }
        kind = object["kind"]?.stringValue ?? ""
        collection = object["collection"]?.stringValue ?? ""
        record = object["record"]?.stringValue ?? ""
        meta = object["meta"]?.objectValue ?? JSONObject()
    }

    public static func == (a: MailMessage, b: MailMessage) -> Bool { a.json == b.json }

    var json: JSON {
        var object: JSONObject = [
            "to": .array(to.map(\.json)), "cc": .array(cc.map(\.json)), "bcc": .array(bcc.map(\.json)),
            "subject": .string(subject), "html": .string(html), "text": .string(text), "kind": .string(kind),
            "collection": .string(collection), "record": .string(record), "meta": .object(meta),
        ]
        if let from { object["from"] = from.json }
        var named = JSONObject()
        for header in headers { named[header.name] = .string(header.value) }
        object["headers"] = .object(named)
        object["attachments"] = .array(
            attachments.map {
                [
                    "name": .string($0.name), "type": .string($0.type), "inline": .bool($0.isInline),
                    "content": .string($0.content),
                ]
            })
        return .object(object)
    }
}

/// Why a mail was not sent.
public struct MailError: Error, Sendable, CustomStringConvertible {
    public let reason: String
    public var description: String { reason }

    public init(_ reason: String) { self.reason = reason }
}

/// The plugin that sends mail, as others see it.
///
/// `@unchecked Sendable`: the table is the offering plugin's and lives for ever.
public final class Mailer: @unchecked Sendable {
    private let table: UnsafePointer<roost_mailer_v1>

    /// - Returns: nil when no plugin sends mail.
    public init?(_ host: Host) {
        guard let table = host.table(ROOST_TABLE_MAILER) else { return nil }
        self.table = table.assumingMemoryBound(to: roost_mailer_v1.self)
    }

    fileprivate init(_ table: UnsafePointer<roost_mailer_v1>) { self.table = table }

    /// Sends a mail and waits until a mail server has taken it. Worker threads only, never inside a transaction.
    ///
    /// - Throws: ``MailError``.
    public func send(_ message: MailMessage, _ records: Records) throws(MailError) {
        var error = roost_bytes()
        let status = message.json.serializedBytes().withRoostBytes {
            table.pointee.send?(table.pointee.mailer, records.call.raw, $0, &error)
        }
        if let refused = Self.refusal(status, error) { throw refused }
    }

    private static func refusal(_ status: roost_status?, _ error: roost_bytes) -> MailError? {
        let status = status ?? ROOST_EUNSUPPORTED
        if status >= 0 { return nil }
        let words = error.string
        return MailError(words.isEmpty ? HostError(status: status).description : words)
    }

    /// Hands a mail over to be sent soon.
    ///
    /// - Parameter done: told once, on a thread of the mailer, what went wrong; nil when nothing did.
    /// - Throws: ``MailError`` when too many are waiting or a filter keeps it from being sent.
    public func queue(
        _ message: MailMessage, _ records: Records, done: @escaping @Sendable (_ error: String?) -> Void
    ) throws(MailError) {
        var error = roost_bytes()
        let box = Unmanaged.passRetained(DoneBox(done))
        let status = message.json.serializedBytes().withRoostBytes {
            table.pointee.queue?(
                table.pointee.mailer, records.call.raw, $0,
                { user, status, error in
                    guard let user else { return }
                    let reason = error.string
                    Unmanaged<DoneBox>.fromOpaque(user).takeRetainedValue()
                        .done(status >= 0 ? nil : reason.isEmpty ? "status \(status)" : reason)
                }, box.toOpaque(), &error)
        }
        guard let refused = Self.refusal(status, error) else { return }
        box.release()
        throw refused
    }
}

private final class DoneBox: Sendable {
    let done: @Sendable (String?) -> Void
    init(_ done: @escaping @Sendable (String?) -> Void) { self.done = done }
}

/// What a plugin implements to send mail for all the others.
public protocol MailTransport: AnyObject, Sendable {
    /// Sends and waits. Worker threads.
    /// - Throws: a ``MailError`` when it was not sent.
    func send(_ message: MailMessage, _ records: Records) throws
    /// Takes the message over and returns at once.
    /// - Parameter done: to be called once, unless this throws.
    func queue(
        _ message: MailMessage, _ records: Records, done: @escaping @Sendable (_ error: String?) -> Void
    ) throws
}

extension Host {
    /// Makes the plugin the one that sends mail. plugin.json must offer "roost.mailer/1".
    ///
    /// - Returns: the mailer as others see it, filters included.
    /// - Throws: ``HostError`` when there is one already.
    @discardableResult
    public func offerMailer(_ transport: any MailTransport) throws -> Mailer {
        // Both live as long as the process.
        let box = Unmanaged.passRetained(MailerBox(self, transport))
        let table = UnsafeMutablePointer<roost_mailer_v1>.allocate(capacity: 1)
        table.initialize(
            to: roost_mailer_v1(
                mailer: box.toOpaque(),
                send: { mailer, raw, message, error in
                    MailerBox.take(mailer, raw, message, error) { box, message, records in
                        try box.transport.send(message, records)
                    }
                },
                queue: { mailer, raw, message, done, user, error in
                    let user = UInt(bitPattern: user)
                    return MailerBox.take(mailer, raw, message, error) { box, message, records in
                        try box.transport.queue(message, records) { error in
                            let status = error == nil ? ROOST_OK : ROOST_EFAILED
                            (error ?? "").withRoostBytes {
                                done?(UnsafeMutableRawPointer(bitPattern: user), status, $0)
                            }
                        }
                    }
                },
                add_filter: { mailer, _, priority, filter, user in
                    guard let mailer, let filter else { return ROOST_EINVALID }
                    Unmanaged<MailerBox>.fromOpaque(mailer).takeUnretainedValue().filters.add(priority, filter, user)
                    return ROOST_OK
                }, reserved: 0))
        try offer(ROOST_TABLE_MAILER, table: UnsafeRawPointer(table))
        return Mailer(table)
    }
}

private final class MailerBox: Sendable {
    let host: Host
    let transport: any MailTransport
    let filters = MailFilters()

    init(_ host: Host, _ transport: any MailTransport) {
        self.host = host
        self.transport = transport
    }

    static func take(
        _ mailer: UnsafeMutableRawPointer?, _ raw: OpaquePointer?, _ message: roost_bytes,
        _ error: UnsafeMutablePointer<roost_bytes>?, _ body: (MailerBox, MailMessage, Records) throws -> Void
    ) -> roost_status {
        guard let mailer, let raw else { return ROOST_EINVALID }
        let box = Unmanaged<MailerBox>.fromOpaque(mailer).takeUnretainedValue()
        let call = Call(raw, box.host)
        return call.run {
            do {
                let message = try box.filters.run(message, call)
                try body(box, message, Records(call))
            } catch let refused as MailError {
                if let words = call.scratch(refused.reason) { error?.pointee = words }
                throw HostError(status: ROOST_EFAILED)
            }
        }
    }
}
