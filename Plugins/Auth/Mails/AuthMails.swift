import Glibc
import PluginKit
import Synchronization

/// Writes and sends the mails of auth collections.
final class AuthMails: Sendable {
    /// What the settings say of the application.
    private struct Application: Sendable {
        var name: String
        var url: String
    }

    private let settings = ServerSettings { json in
        Application(
            name: json["meta"]?["appName"]?.stringValue ?? "", url: json["meta"]?["appURL"]?.stringValue ?? "")
    }
    private let host: Host
    /// Asked for at the first mail, when all plugins are in.
    private let mailer = Mutex<Mailer?>(nil)

    init(_ host: Host) { self.host = host }

    static let noMailer = "there is no plugin that sends mail"

    private func currentMailer() -> Mailer? {
        mailer.withLock { mailer in
            if mailer == nil { mailer = Mailer(host) }
            return mailer
        }
    }

    /// A mail of a kind to a record.
    ///
    /// - Parameters:
    ///   - values: of the kind's own placeholders.
    ///   - address: to whom; nil for the record's address.
    func compose(
        _ kind: MailKind, _ record: Record, _ collection: AuthCollection, values: [String: String],
        to address: String? = nil,
        meta: JSONObject, _ records: Records
    ) throws -> MailMessage {
        let application = try settings.value(records)
        var all = ["{APP_NAME}": application.name, "{APP_URL}": application.url]
        for field in collection.shownFields {
            let text = record.text(field.name)
            all["{RECORD:\(field.name)}"] = field.isPlain ? text : HTML.escaped(text)
        }
        all.merge(values) { $1 }
        let (subject, body) = (collection.templates[kind] ?? MailTemplate(nil)).filled(with: all)
        var message = MailMessage(
            to: [MailAddress(address ?? record.text("email"))], subject: Self.oneLine(subject), html: HTML.page(body))
        message.kind = kind.rawValue
        message.collection = collection.name
        message.record = record.id
        message.meta = meta
        return message
    }

    /// Values may have line breaks; a header may not.
    private static func oneLine(_ text: String) -> String {
        String(String.UnicodeScalarView(text.unicodeScalars.map { $0.value < 0x20 || $0.value == 0x7F ? " " : $0 }))
    }

    /// Sends and waits. Worker threads, outside of transactions.
    ///
    /// - Throws: a `MailError` when it was not sent.
    func send(_ message: MailMessage, _ records: Records) throws(MailError) {
        guard let mailer = currentMailer() else { throw MailError(Self.noMailer) }
        try mailer.send(message, records)
    }

    /// Sends soon; what goes wrong is logged.
    ///
    /// - Parameters:
    ///   - what: the kind of mail in words for the log.
    ///   - done: told on a worker thread whether it was sent.
    func queue(
        _ message: MailMessage, _ what: String, _ records: Records,
        done: @escaping @Sendable (_ isSent: Bool, Records) -> Void = { _, _ in }
    ) {
        let host = host
        let finish: @Sendable (String?) -> Void = { error in
            if let error { host.log.error("Failed to send \(what) email", ["error": .string(error)]) }
            do {
                try host.runOnWorker { done(error == nil, $0) }
            } catch {
                host.log.error("What follows a mail was not done", ["error": .string("\(error)")])
            }
        }
        guard let mailer = currentMailer() else { return finish(Self.noMailer) }
        do {
            try mailer.queue(message, records, done: finish)
        } catch {
            finish(error.reason)
        }
    }
}

/// Who has been sent something lately: mails that a stranger can cause go out once in two minutes.
final class ResendLimit: Sendable {
    private static let seconds = 120
    private let until = Mutex<[String: Int]>([:])

    /// Whether enough time has gone by.
    func allows(_ key: String) -> Bool {
        let now = time(nil)
        return until.withLock { ($0[key] ?? 0) <= now }
    }

    func note(_ key: String) {
        let now = time(nil)
        until.withLock { until in
            if until.count > 10_000 { until = until.filter { $0.value > now } }
            until[key] = now + Self.seconds
        }
    }

    func forget(_ key: String) { until.withLock { _ = $0.removeValue(forKey: key) } }
}

/// One at a time for each record: of two requests with one token only the first finds the token still good.
final class RecordLocks: Sendable {
    /// A class, so that it has one address.
    private final class Stripe: Sendable {
        let mutex = Mutex<Void>(())
    }

    private let stripes = (0..<64).map { _ in Stripe() }

    /// Worker threads only: others may be hashing a password meanwhile.
    func with<Result>(_ id: String, _ body: () throws -> Result) rethrows -> Result {
        let index = Int(id.utf8.reduce(UInt32(5381)) { $0 &* 33 &+ UInt32($1) }) % stripes.count
        return try stripes[index].mutex.withLock { _ in try body() }
    }
}
