import Glibc
import PluginKit
import Synchronization

/// Sends mail at once, or queues it for a few threads of its own: a slow mail server then holds up nobody else.
final class MailService: MailTransport {
    private struct Job: Sendable {
        var message: MailMessage
        var settings: MailSettings
        var done: @Sendable (String?) -> Void
    }

    private struct State {
        var waiting: [Job] = []
        var threads = 0
    }

    private static let maxWaiting = 1000
    private static let maxThreads = 4
    /// How long the end of the process waits for what is queued, in seconds.
    private static let patience = 10

    private let settings = ServerSettings { MailSettings($0) }
    private let state = Mutex(State())
    private let host: Host

    init(_ host: Host) { self.host = host }

    func send(_ message: MailMessage, _ records: Records) throws {
        try deliver(message, try settings.value(records))
    }

    /// What the application is called in the settings.
    func applicationName(_ records: Records) throws -> String { try settings.value(records).applicationName }

    func queue(
        _ message: MailMessage, _ records: Records, done: @escaping @Sendable (_ error: String?) -> Void
    ) throws {
        let job = Job(message: message, settings: try settings.value(records), done: done)
        let isFirst = try state.withLock { state -> Bool in
            guard state.waiting.count < Self.maxWaiting else {
                throw MailError("Too many mails are waiting to be sent.")
            }
            state.waiting.append(job)
            guard state.threads < Self.maxThreads, state.threads < state.waiting.count else { return false }
            state.threads += 1
            return true
        }
        if isFirst { startThread() }
    }

    private func startThread() {
        // Without a thread slower, but sent: on that of whoever asked.
        if !PluginThread.start({ self.work() }) { work() }
    }

    private func work() {
        while let job = take() {
            do {
                try deliver(job.message, job.settings)
                job.done(nil)
            } catch {
                job.done(error.reason)
            }
        }
    }

    /// The next job; nil ends the thread.
    private func take() -> Job? {
        state.withLock { state in
            if state.waiting.isEmpty {
                state.threads -= 1
                return nil
            }
            return state.waiting.removeFirst()
        }
    }

    /// Waits a while for what is still being sent.
    func finish() {
        for _ in 0..<(Self.patience * 20) where state.withLock({ $0.threads > 0 }) { usleep(50_000) }
        let lost = state.withLock { $0.waiting.count + $0.threads }
        if lost > 0 { host.log.warn("Mails were not sent before the end", ["count": .number(Double(lost))]) }
    }

    private func deliver(_ message: MailMessage, _ settings: MailSettings) throws(MailError) {
        var message = message
        let from = message.from ?? settings.sender
        message.from = from
        let letter = try Letter(message, from: from, id: messageID(from))
        if let smtp = settings.smtp {
            try SMTP.send(letter, smtp)
        } else {
            try Sendmail.send(letter)
        }
    }

    /// A name for the mail that no other has.
    private func messageID(_ from: MailAddress) -> String {
        let alphabet = Array("abcdefghijklmnopqrstuvwxyz0123456789".utf8)
        let random = host.randomBytes(20).map { alphabet[Int($0) % alphabet.count] }
        let domain = from.address.split(separator: "@").last.map(String.init) ?? "localhost"
        return "<\(String(decoding: random, as: UTF8.self))@\(domain)>"
    }
}
