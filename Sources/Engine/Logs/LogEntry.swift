package import JSON

/// One line of the log that is no request: `_logs` in `auxiliary.db`.
package struct LogEntry: Sendable {
    /// Levels as Go's slog numbers them.
    package enum Level: Int, Sendable, Comparable {
        case debug = -4, info = 0, warn = 4, error = 8
        package static func < (a: Level, b: Level) -> Bool { a.rawValue < b.rawValue }
    }

    package var level: Level
    package var message: String
    package var data: JSONObject
    /// When it happened, Unix time in milliseconds.
    package var milliseconds: Int64

    package init(
        level: Level, message: String, data: JSONObject = JSONObject(),
        milliseconds: Int64 = Timestamp.microseconds() / 1000
    ) {
        self.level = level
        self.message = message
        self.data = data
        self.milliseconds = milliseconds
    }
}

/// What the log's line of a request tells. Each answer makes one: what the client sent is not copied, and is there for the
/// time of the call that gets it.
package struct RequestLog: ~Copyable {
    package var level: LogEntry.Level
    /// When it was answered, Unix time in milliseconds.
    package var milliseconds: Int64 = Timestamp.microseconds() / 1000
    package var method: String
    package var url: UnsafeRawBufferPointer
    package var status: Int
    /// Nanoseconds from the complete head to the written answer.
    package var duration: UInt64
    package var referer: UnsafeRawBufferPointer
    package var userAgent: UnsafeRawBufferPointer
    /// The name of the collection whose record has signed in; empty for nobody.
    package var auth: String
    package var authID: String?
    package var userIP: String?
    package var remoteIP: String?
    package var error: String?
    package var details: String?

    package init(
        level: LogEntry.Level, method: String, url: UnsafeRawBufferPointer, status: Int, duration: UInt64,
        referer: UnsafeRawBufferPointer, userAgent: UnsafeRawBufferPointer, auth: String, authID: String?,
        userIP: String?, remoteIP: String?, error: String?, details: String?
    ) {
        self.level = level
        self.method = method
        self.url = url
        self.status = status
        self.duration = duration
        self.referer = referer
        self.userAgent = userAgent
        self.auth = auth
        self.authID = authID
        self.userIP = userIP
        self.remoteIP = remoteIP
        self.error = error
        self.details = details
    }
}
