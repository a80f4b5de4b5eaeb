internal import CCurl
internal import Glibc
package import PluginKit

/// The body of a request.
package enum HTTPBody: Sendable {
    case none
    case bytes([UInt8])
    /// A part of a file that is to be stored.
    case source(StorageSource, offset: UInt64, length: UInt64)

    package var length: UInt64 {
        switch self {
        case .none: 0
        case .bytes(let bytes): UInt64(bytes.count)
        case .source(_, _, let length): length
        }
    }
}

/// The head of an answer.
package struct HTTPHead: Sendable {
    package var status: Int
    /// By their names in lower case.
    package var headers: [String: String] = [:]

    package init(status: Int = 0) { self.status = status }
}

/// What libcurl could not do.
package struct HTTPError: Error {
    package var reason: String
    /// Whether it may go well another time.
    package var isTransient: Bool

    package init(_ reason: String, isTransient: Bool = false) {
        self.reason = reason
        self.isTransient = isTransient
    }
}

/// How far a request may go.
package struct HTTPLimits: Sendable {
    /// In seconds, for the whole request; 0 for as long as bytes come.
    package var seconds = 0
    /// The most bytes that are kept of an answer that is not passed on.
    package var body = 16 << 20
    /// Redirects that are followed.
    package var redirects = 0
    /// Whether the environment's proxy is used.
    package var usesProxy = true
    /// Whether only addresses on the public internet are connected to, wherever the URL and redirects lead: for URLs that
    /// others wrote, which must not lead to machines of the operator's own network. Needs `usesProxy` to be false, and a
    /// handle that never made a connection without this.
    package var isPublicOnly = false

    package init() {}
}

/// One request and its answer, through libcurl. Waits; used by one thread.
package final class HTTPTransfer {
    /// In seconds. Without a byte for so long, a connection is given up.
    private static let connectTimeout = 10
    private static let stallTimeout = 30

    package private(set) var head = HTTPHead()
    /// The answer's body, unless it was passed on.
    package private(set) var body: [UInt8] = []
    private let source: HTTPBody
    private let limits: HTTPLimits
    private var sent: UInt64 = 0
    private let begin: (HTTPHead) throws -> Bool
    private let pass: (UnsafeRawBufferPointer) throws -> Void
    private var hasBegun = false
    private var passes = false
    /// Why one of the functions above wants no more.
    private var ended: (any Error)?
    private var sourceFailed = false

    /// - Parameters:
    ///   - begin: told the head before the first byte of the body, or at the end; true passes the body on.
    ///   - pass: takes the bytes of a body that is passed on.
    package init(
        _ source: HTTPBody, limits: HTTPLimits = HTTPLimits(),
        begin: @escaping (HTTPHead) throws -> Bool = { _ in false },
        pass: @escaping (UnsafeRawBufferPointer) throws -> Void = { _ in }
    ) {
        self.source = source
        self.limits = limits
        self.begin = begin
        self.pass = pass
    }

    /// Sends a request with a handle of libcurl's, whose connection is used again if it has one.
    ///
    /// - Throws: ``HTTPError``, or what `begin` or `pass` threw.
    package func perform(
        _ curl: UnsafeMutableRawPointer, _ method: String, _ url: String, _ headers: [(String, String)]
    ) throws {
        roost_curl_easy_reset(curl)
        var list: UnsafeMutablePointer<curl_slist>?
        // libcurl would wait for a "100 Continue" that not every service sends, and name a type for what has none.
        let lines = headers.map { $0.1.isEmpty ? "\($0.0);" : "\($0.0): \($0.1)" } + ["Expect:"]
        let hasType = headers.contains { $0.0 == "content-type" }
        for line in hasType ? lines : lines + ["Content-Type:"] { list = roost_curl_slist_append(list, line) ?? list }
        defer { roost_curl_slist_free_all(list) }
        var fault = [CChar](repeating: 0, count: Int(CURL_ERROR_SIZE))
        let code = try fault.withUnsafeMutableBufferPointer { buffer in
            try set(curl, method, url, list)
            try Self.check(roost_curl_set_pointer(curl, CURLOPT_ERRORBUFFER, buffer.baseAddress))
            defer { _ = roost_curl_set_pointer(curl, CURLOPT_ERRORBUFFER, nil) }
            return try withBody { bytes in
                if let bytes { try Self.check(roost_curl_set_pointer(curl, CURLOPT_POSTFIELDS, bytes)) }
                return roost_curl_easy_perform(curl)
            }
        }
        if let ended { throw ended }
        if sourceFailed { throw HTTPError("the file that is to be sent could not be read") }
        guard code == CURLE_OK else {
            let words = fault.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
            let reason =
                words.isEmpty ? String(cString: roost_curl_easy_strerror(code)) : String(decoding: words, as: UTF8.self)
            throw HTTPError(reason, isTransient: Self.transient.contains(code.rawValue))
        }
        try start()
        if let ended { throw ended }
    }

    private static let transient: Set<UInt32> = Set(
        [
            CURLE_COULDNT_RESOLVE_HOST, CURLE_COULDNT_RESOLVE_PROXY, CURLE_COULDNT_CONNECT, CURLE_PARTIAL_FILE,
            CURLE_OPERATION_TIMEDOUT, CURLE_SSL_CONNECT_ERROR, CURLE_GOT_NOTHING, CURLE_SEND_ERROR, CURLE_RECV_ERROR,
            CURLE_HTTP2, CURLE_HTTP2_STREAM, CURLE_SEND_FAIL_REWIND,
        ].map(\.rawValue))

    private static func check(_ code: CURLcode) throws {
        if code != CURLE_OK {
            throw HTTPError(String(cString: roost_curl_easy_strerror(code)))
        }
    }

    private func withBody<R>(_ run: (UnsafeMutableRawPointer?) throws -> R) rethrows -> R {
        guard case .bytes(let bytes) = source else { return try run(nil) }
        // libcurl only reads it; an empty body needs an address too.
        return try (bytes + [0]).withUnsafeBytes { try run(UnsafeMutableRawPointer(mutating: $0.baseAddress)) }
    }

    private func set(
        _ curl: UnsafeMutableRawPointer, _ method: String, _ url: String, _ list: UnsafeMutablePointer<curl_slist>?
    ) throws {
        func number(_ option: CURLoption, _ value: Int) throws {
            try Self.check(roost_curl_set_number(curl, option, value))
        }
        func text(_ option: CURLoption, _ value: String) throws {
            try Self.check(roost_curl_set_text(curl, option, value))
        }
        try text(CURLOPT_URL, url)
        try text(CURLOPT_PROTOCOLS_STR, "http,https")
        // Keys may look like paths that lead elsewhere.
        try number(CURLOPT_PATH_AS_IS, 1)
        if !limits.usesProxy { try text(CURLOPT_PROXY, "") }
        if limits.isPublicOnly {
            try Self.check(
                roost_curl_set_admission(curl) { address in
                    address.map { PublicAddress.isPublic($0) } == true ? 1 : 0
                })
        }
        if limits.seconds > 0 { try number(CURLOPT_TIMEOUT, limits.seconds) }
        if limits.redirects > 0 {
            try number(CURLOPT_FOLLOWLOCATION, 1)
            try number(CURLOPT_MAXREDIRS, limits.redirects)
            try text(CURLOPT_REDIR_PROTOCOLS_STR, "http,https")
        }
        try number(CURLOPT_NOSIGNAL, 1)
        try number(CURLOPT_HTTP_VERSION, Int(CURL_HTTP_VERSION_1_1))
        try number(CURLOPT_CONNECTTIMEOUT, Self.connectTimeout)
        try number(CURLOPT_LOW_SPEED_LIMIT, 1)
        try number(CURLOPT_LOW_SPEED_TIME, Self.stallTimeout)
        try number(CURLOPT_TCP_NODELAY, 1)
        try number(CURLOPT_BUFFERSIZE, 1 << 17)
        try number(CURLOPT_UPLOAD_BUFFERSIZE, 1 << 17)
        try Self.check(roost_curl_set_pointer(curl, CURLOPT_HTTPHEADER, UnsafeMutableRawPointer(list)))
        switch (method, source) {
        case ("HEAD", _): try number(CURLOPT_NOBODY, 1)
        case ("PUT", _):
            try number(CURLOPT_UPLOAD, 1)
            try number(CURLOPT_INFILESIZE_LARGE, Int(source.length))
        case ("POST", _):
            try number(CURLOPT_POST, 1)
            try number(CURLOPT_POSTFIELDSIZE_LARGE, Int(source.length))
        default: if method != "GET" { try text(CURLOPT_CUSTOMREQUEST, method) }
        }
        let me = Unmanaged.passUnretained(self).toOpaque()
        let read: roost_curl_bytes = { bytes, size, count, user in
            HTTPTransfer.from(user).read(UnsafeMutableRawBufferPointer(start: bytes, count: size * count))
        }
        let seek: roost_curl_seek = { user, offset, origin in
            guard origin == SEEK_SET, offset >= 0 else { return CURL_SEEKFUNC_FAIL }
            HTTPTransfer.from(user).sent = UInt64(offset)
            return CURL_SEEKFUNC_OK
        }
        try Self.check(
            roost_curl_set_functions(
                curl,
                { bytes, size, count, user in
                    HTTPTransfer.from(user).header(UnsafeRawBufferPointer(start: bytes, count: size * count))
                    return size * count
                },
                { bytes, size, count, user in
                    HTTPTransfer.from(user).write(UnsafeRawBufferPointer(start: bytes, count: size * count))
                        ? size * count : 0
                }, method == "PUT" ? read : nil, method == "PUT" ? seek : nil, me))
    }

    private static func from(_ user: UnsafeMutableRawPointer?) -> HTTPTransfer {
        // The pointer is the one that was set above, for as long as `perform` runs.
        Unmanaged<HTTPTransfer>.fromOpaque(user!).takeUnretainedValue()
    }

    // MARK: - Called by libcurl

    private func header(_ line: UnsafeRawBufferPointer) {
        let text = String(decoding: line, as: UTF8.self).split { $0 == "\r\n" || $0 == "\n" || $0 == "\r" }.first ?? ""
        if text.hasPrefix("HTTP/") {
            // After an interim answer the true one begins anew.
            let words = text.split(separator: " ")
            head = HTTPHead(status: words.count > 1 ? Int(words[1]) ?? 0 : 0)
        } else if let colon = text.firstIndex(of: ":") {
            let value = text[text.index(after: colon)...].drop { $0 == " " || $0 == "\t" }
            head.headers[text[..<colon].lowercased()] = String(value)
        }
    }

    private func start() throws {
        guard !hasBegun else { return }
        hasBegun = true
        do { passes = try begin(head) } catch { ended = error }
    }

    private func write(_ bytes: UnsafeRawBufferPointer) -> Bool {
        do {
            try start()
            if ended != nil { return false }
            if passes {
                try pass(bytes)
            } else {
                guard body.count + bytes.count <= limits.body else {
                    throw HTTPError("it answers with more than \(limits.body) bytes")
                }
                body += bytes
            }
            return true
        } catch {
            ended = error
            return false
        }
    }

    private func read(_ buffer: UnsafeMutableRawBufferPointer) -> Int {
        switch source {
        case .none: return 0
        case .bytes(let bytes):
            let count = min(buffer.count, bytes.count - Int(sent))
            buffer.copyBytes(from: bytes[Int(sent)..<(Int(sent) + count)])
            sent += UInt64(count)
            return count
        case .source(let source, let offset, let length):
            let wanted = Int(min(UInt64(buffer.count), length - sent))
            if wanted == 0 { return 0 }
            let count = source.read(at: offset + sent, into: UnsafeMutableRawBufferPointer(rebasing: buffer[..<wanted]))
            guard count > 0 else {
                sourceFailed = true
                return Int(CURL_READFUNC_ABORT)
            }
            sent += UInt64(count)
            return count
        }
    }
}
