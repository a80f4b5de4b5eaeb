package import JSON
import Synchronization

/// Something that operators must hear of though nobody looks at the log.
package struct Alert: Sendable, Equatable {
    /// What it is about, for whoever sorts alerts, e.g. `backup`.
    package var kind: String
    package var subject: String
    /// What happened, in plain text.
    package var details: String

    package init(kind: String, subject: String, details: String) {
        self.kind = kind
        self.subject = subject
        self.details = details
    }

    package var json: JSON {
        ["kind": .string(kind), "subject": .string(subject), "details": .string(details)]
    }

    /// - Returns: nil when a member is missing, empty or no text.
    package init?(_ json: JSON) {
        guard let kind = json["kind"]?.stringValue, let subject = json["subject"]?.stringValue,
            let details = json["details"]?.stringValue, !kind.isEmpty, !subject.isEmpty, !details.isEmpty
        else { return nil }
        self.init(kind: kind, subject: subject, details: details)
    }
}

/// Hands alerts to whoever sends them on. Any thread.
package final class Alerts: Sendable {
    package typealias Listener = @Sendable (Alert) throws -> Void

    private struct State {
        var listeners: [Listener] = []
        var running = 0
        var isStopped = false
    }

    /// Alerts that are being told at the same time.
    private static let limit = 16
    private let state = Mutex(State())
    private let ended = ConditionBox()
    private let log: CronScheduler.Log

    package init(log: @escaping CronScheduler.Log) { self.log = log }

    package func listen(_ listener: @escaping Listener) { state.withLock { $0.listeners.append(listener) } }

    /// Tells all listeners, on a thread of the alert's own.
    /// - Returns: false when too many are on their way or the server is ending; the alert is logged then, too.
    @discardableResult
    package func raise(_ alert: Alert) -> Bool {
        let listeners: [Listener]? = state.withLock { state in
            guard !state.isStopped, state.running < Self.limit else { return nil }
            if !state.listeners.isEmpty { state.running += 1 }
            return state.listeners
        }
        guard let listeners else { return isNotSent(alert) }
        guard !listeners.isEmpty else { return true }
        let isStarted = SystemThread.start { [self] in
            for listener in listeners {
                do {
                    try listener(alert)
                } catch {
                    log(
                        .warn, "An alert could not be sent.",
                        ["subject": .string(alert.subject), "error": .string("\(error)")])
                }
            }
            state.withLock { $0.running -= 1 }
            ended.broadcast()
        }
        if isStarted { return true }
        state.withLock { $0.running -= 1 }
        ended.broadcast()
        return isNotSent(alert)
    }

    private func isNotSent(_ alert: Alert) -> Bool {
        log(.warn, "An alert was not sent.", ["subject": .string(alert.subject)])
        return false
    }

    /// Takes no more and waits for those on their way.
    /// - Parameter seconds: how long at most.
    package func stop(seconds: Int = 10) {
        state.withLock { $0.isStopped = true }
        _ = ended.wait(seconds: seconds) { state.withLock { $0.running == 0 } }
    }
}
