package import JSON

/// One line of the log: `_logs` in `auxiliary.db`.
package struct LogEntry: Sendable {
    /// Levels as Go's slog numbers them.
    package enum Level: Int, Sendable, Comparable {
        case debug = -4, info = 0, warn = 4, error = 8
        package static func < (a: Level, b: Level) -> Bool { a.rawValue < b.rawValue }
    }

    package enum Content: Sendable {
        case message(String, data: JSONObject)
        case request(RequestLog)
    }

    package var level: Level
    package var content: Content
    /// When it happened, Unix time in milliseconds.
    package var milliseconds: Int64

    package init(level: Level, content: Content, milliseconds: Int64 = Timestamp.microseconds() / 1000) {
        self.level = level
        self.content = content
        self.milliseconds = milliseconds
    }
}

/// What is kept of a request; made into JSON by the thread that writes the log.
package struct RequestLog: Sendable {
    package var method: String
    package var url: String
    package var status: Int
    /// Nanoseconds from the complete head to the written answer.
    package var duration: UInt64
    package var referer: String
    package var userAgent: String
    package var auth: String
    package var authID: String?
    package var userIP: String?
    package var remoteIP: String?
    package var error: String?
    package var details: JSON?

    package init(
        method: String, url: String, status: Int, duration: UInt64, referer: String, userAgent: String, auth: String,
        authID: String?, userIP: String?, remoteIP: String?, error: String?, details: JSON?
    ) {
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

    private static func cut(_ text: String, _ limit: Int) -> String {
        text.utf8.count > limit ? String(decoding: text.utf8.prefix(limit), as: UTF8.self) + "..." : text
    }

    /// Appends the line's text, e.g. `GET /api/health`.
    func writeMessage(into bytes: inout [UInt8]) {
        bytes += Self.cut(method, 50).utf8
        bytes.append(UInt8(ascii: " "))
        bytes += Self.cut(url, 3000).utf8
    }

    /// Writes the line's data with its members in PocketBase's order, straight into bytes: a server under load writes
    /// as many of these as answers.
    func writeData(into writer: inout JSONWriter) {
        writer.beginObject()
        writer.key(plain: "auth")
        writer.string(auth)
        if let authID { writer.key(plain: "authId"); writer.string(authID) }
        if let details { writer.key(plain: "details"); writer.json(details) }
        if let error { writer.key(plain: "error"); writer.string(error) }
        writer.key(plain: "execTime")
        writer.double(Double(duration) / 1_000_000)
        writer.key(plain: "method")
        writer.string(Self.cut(method, 50))
        writer.key(plain: "referer")
        writer.string(Self.cut(referer, 2000))
        if let remoteIP { writer.key(plain: "remoteIP"); writer.string(remoteIP) }
        writer.key(plain: "status")
        writer.int(status)
        writer.key(plain: "type")
        writer.string("request")
        writer.key(plain: "url")
        writer.string(Self.cut(url, 3000))
        writer.key(plain: "userAgent")
        writer.string(Self.cut(userAgent, 2000))
        if let userIP { writer.key(plain: "userIP"); writer.string(userIP) }
        writer.endObject()
    }
}
