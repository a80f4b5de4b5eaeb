import Glibc
import NIOCore
import Synchronization
import WebServer

/// A running server for one test.
final class TestServer: Sendable {
    let server: WebServer
    let port: Int

    init(
        _ configure: (inout WebServerConfiguration) -> Void = { _ in }, routes: (Router) -> Void
    ) throws {
        let router = Router()
        router.notFound { request, responder in
            responder.send(Response(status: 404, body: .bytes(Array("missing \(request.path)".utf8))))
        }
        routes(router)
        var configuration = WebServerConfiguration()
        configuration.loops = 1
        configure(&configuration)
        server = WebServer(configuration: configuration, router: router)
        port = try server.start().first?.port ?? 0
    }

    deinit {
        server.stop(drainSeconds: 0)
    }

    func client() throws -> TestClient {
        try TestClient(port: port)
    }

    /// Sends `text` on a connection of its own and returns all that comes until the server closes or `seconds` pass.
    func exchange(_ text: String, seconds: Double = 15) throws -> TestResponse {
        let client = try client()
        try client.send(text)
        return try client.response(seconds: seconds)
    }
}

struct TestResponse {
    var status = 0
    var head = ""
    var headers: [(String, String)] = []
    var body = ""

    func header(_ name: String) -> String? {
        headers.first { $0.0.lowercased() == name.lowercased() }?.1
    }

    func all(_ name: String) -> [String] {
        headers.filter { $0.0.lowercased() == name.lowercased() }.map(\.1)
    }
}

struct TestFailure: Error {
    var text: String
}

/// A blocking client over a plain socket, so that tests decide which bytes go out when.
final class TestClient {
    let descriptor: Int32
    private var received: [UInt8] = []
    private(set) var isClosed = false

    init(port: Int) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(UInt16(port).bigEndian)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard result == 0 else { throw TestFailure(text: "connect: \(errno)") }
    }

    deinit {
        close(descriptor)
    }

    func send(_ text: String) throws {
        try send(Array(text.utf8))
    }

    func send(_ bytes: [UInt8]) throws {
        var offset = 0
        while offset < bytes.count {
            let count = bytes.withUnsafeBytes {
                Glibc.send(
                    descriptor, $0.baseAddress.map { $0 + offset }, bytes.count - offset, Int32(MSG_NOSIGNAL)
                )
            }
            guard count > 0 else { throw TestFailure(text: "send: \(errno)") }
            offset += count
        }
    }

    func halfClose() {
        shutdown(descriptor, Int32(SHUT_WR))
    }

    /// Closes with a reset.
    func reset() {
        var option = linger(l_onoff: 1, l_linger: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
        shutdown(descriptor, Int32(SHUT_RDWR))
    }

    /// Reads once more; false at the end or when nothing came in time.
    private func fill(seconds: Double) -> Bool {
        guard !isClosed else { return false }
        var poller = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        guard poll(&poller, 1, Int32(seconds * 1000)) > 0 else { return false }
        var space = [UInt8](repeating: 0, count: 65536)
        let count = recv(descriptor, &space, space.count, 0)
        guard count > 0 else {
            isClosed = true
            return false
        }
        received += space[..<count]
        return true
    }

    /// Whether the server closes the connection within `seconds`. What it sends before is dropped.
    func closes(within seconds: Double) -> Bool {
        let end = MonotonicClock.now() + UInt64(seconds * 1e9)
        while !isClosed, MonotonicClock.now() < end { _ = fill(seconds: 0.05) }
        return isClosed
    }

    func readUntil(_ text: String, seconds: Double = 15) throws -> String {
        let wanted = Array(text.utf8)
        let end = MonotonicClock.now() + UInt64(seconds * 1e9)
        while true {
            if let index = Self.index(of: wanted, in: received) {
                let result = String(decoding: received[..<(index + wanted.count)], as: UTF8.self)
                received.removeFirst(index + wanted.count)
                return result
            }
            guard MonotonicClock.now() < end, fill(seconds: 0.2) || !isClosed else {
                throw TestFailure(text: "no \(text.debugDescription) in \(String(decoding: received, as: UTF8.self))")
            }
        }
    }

    func response(seconds: Double = 15, hasBody: Bool = true) throws -> TestResponse {
        var response = TestResponse()
        response.head = try readUntil("\r\n\r\n", seconds: seconds)
        var lines = response.head.split(separator: "\r\n").map(String.init)
        response.status = Int(lines.removeFirst().split(separator: " ")[1]) ?? 0
        for line in lines {
            let parts = line.split(separator: ":", maxSplits: 1)
            response.headers.append((String(parts[0]), parts.count > 1 ? String(parts[1].dropFirst()) : ""))
        }
        guard hasBody, response.status != 204, response.status >= 200 else { return response }
        if let length = response.header("content-length").flatMap({ Int($0) }) {
            while received.count < length {
                guard fill(seconds: seconds) else { throw TestFailure(text: "body cut at \(received.count)") }
            }
            response.body = String(decoding: received[..<length], as: UTF8.self)
            received.removeFirst(length)
        } else if response.header("transfer-encoding") == "chunked" {
            while true {
                let size = Int(try readUntil("\r\n", seconds: seconds).dropLast(), radix: 16) ?? 0
                while received.count < size + 2 {
                    guard fill(seconds: seconds) else { throw TestFailure(text: "chunk cut") }
                }
                response.body += String(decoding: received[..<size], as: UTF8.self)
                received.removeFirst(size + 2)
                if size == 0 { break }
            }
        } else {
            while fill(seconds: seconds) {}
            response.body = String(decoding: received, as: UTF8.self)
            received = []
        }
        return response
    }

    private static func index(of needle: [UInt8], in bytes: [UInt8]) -> Int? {
        guard bytes.count >= needle.count else { return nil }
        return bytes.withUnsafeBytes { space in
            var position = 0
            while position + needle.count <= space.count, let base = space.baseAddress,
                let found = memchr(base + position, Int32(needle[0]), space.count - position - needle.count + 1)
            {
                if memcmp(found, needle, needle.count) == 0 { return UnsafeRawPointer(found) - base }
                position = UnsafeRawPointer(found) - base + 1
            }
            return nil
        }
    }
}

/// A value that a handler sets and a test waits for.
final class Box<Value: Sendable>: Sendable {
    private let state: Mutex<Value>

    init(_ value: Value) {
        state = Mutex(value)
    }

    var value: Value {
        get { state.withLock { $0 } }
        set { state.withLock { $0 = newValue } }
    }

    func update(_ change: (inout Value) -> Void) {
        state.withLock { change(&$0) }
    }

    func wait(seconds: Double = 15, until condition: (Value) -> Bool) -> Bool {
        let end = MonotonicClock.now() + UInt64(seconds * 1e9)
        while MonotonicClock.now() < end {
            if condition(value) { return true }
            usleep(2000)
        }
        return condition(value)
    }
}

func text(_ string: String, status: UInt16 = 200) -> Response {
    Response(status: status, headers: [("Content-Type", "text/plain")], body: .bytes(Array(string.utf8)))
}

extension Request {
    var bodyText: String { String(decoding: body.readableBytesView, as: UTF8.self) }
}

/// A detached thread, for handlers that answer from elsewhere.
func onThread(_ work: @escaping @Sendable () -> Void) {
    final class Job: Sendable {
        let work: @Sendable () -> Void
        init(_ work: @escaping @Sendable () -> Void) { self.work = work }
    }
    var thread = pthread_t()
    let job = Unmanaged.passRetained(Job(work))
    pthread_create(
        &thread, nil,
        { argument in
            if let argument { Unmanaged<Job>.fromOpaque(argument).takeRetainedValue().work() }
            return nil
        }, job.toOpaque()
    )
    pthread_detach(thread)
}
