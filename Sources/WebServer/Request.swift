import Marks
package import NIOCore
import Synchronization

/// A key under which a middleware leaves something for later ones, for example who is asking.
///
/// ```swift
/// enum IdentityKey: RequestKey { typealias Value = Identity }
/// request[IdentityKey.self] = identity
/// ```
package protocol RequestKey {
    associatedtype Value: Sendable
}

/// A value that was left with a request, without its type. `@unchecked Sendable` as a class that others derive from:
/// all that it and the one below it hold are constants of `Sendable` types.
class AnyAttribute: @unchecked Sendable {
    let key: ObjectIdentifier
    fileprivate init(key: ObjectIdentifier) { self.key = key }
}

/// A value that was left with a request under `Key`.
private final class Attribute<Key: RequestKey>: AnyAttribute, @unchecked Sendable {
    let value: Key.Value
    init(_ value: Key.Value) {
        self.value = value
        super.init(key: ObjectIdentifier(Key.self))
    }
}

/// One request. It is made on its connection's event loop; its head does not change, so any thread may read it.
package final class Request: Sendable {
    package let method: HTTPMethod
    package let headers: Headers
    /// What the path gave to the route's `{name}` segments.
    package let parameters: RouteParameters
    /// The body, piece by piece, for routes with `BodyPolicy.stream`; nil for others and for requests without a body.
    package let bodyStream: BodyStream?
    /// When the head was complete, in nanoseconds of the monotonic clock.
    package let started: UInt64
    /// The event loop of the connection. What `onClose` and body callbacks run on.
    package let eventLoop: any EventLoop
    package let remoteIP: String
    package let remotePort: Int
    /// True when the request came over TLS.
    package let isSecure: Bool
    /// The pattern of the route that matched, for example `/api/collections/{collection}/records`; empty when none did.
    package let routePattern: String

    let bytes: ByteBuffer
    let targetRange: Range<Int>
    let pathRange: Range<Int>
    let queryRange: Range<Int>
    let isHTTP10: Bool
    /// Nil for requests that were made inside the process.
    let connection: Connection?
    let capture: (@Sendable (Response) -> Void)?
    let exchange: UInt64
    let state: Mutex<State>

    struct State {
        var body = ByteBuffer()
        var failure: HTTPFailure?
        var queryItems: [(name: String, value: String)]?
        var attributes: [AnyAttribute] = []
        var fixedHeaders: FixedHeaders?
        var responseHeaders: [(String, String)] = []
        var isDispatched = false
        var isAnswered = false
    }

    init(
        head: RequestHead, parameters: RouteParameters, routePattern: String, bodyStream: BodyStream?,
        connection: Connection, exchange: UInt64, started: UInt64
    ) {
        self.method = head.method
        self.headers = Headers(bytes: head.bytes, fields: head.fields)
        self.parameters = parameters
        self.routePattern = routePattern
        self.bodyStream = bodyStream
        self.started = started
        self.eventLoop = connection.eventLoop
        self.remoteIP = connection.remoteIP
        self.remotePort = connection.remotePort
        self.isSecure = connection.server.configuration.isSecure
        self.bytes = head.bytes
        self.targetRange = head.target
        self.pathRange = head.path
        self.queryRange = head.query
        self.isHTTP10 = head.isHTTP10
        self.connection = connection
        self.capture = nil
        self.exchange = exchange
        self.state = Mutex(State())
    }

    /// What of a request counts for others that are made on its behalf: it holds neither the connection nor more bytes
    /// than the head has, and nobody waits for its answer.
    func detached() -> Request {
        let bytes = ByteBuffer(bytes: headers.bytes.readableBytesView)
        return Request(
            method: method, headers: Headers(bytes: bytes, fields: headers.fields), bytes: bytes, path: pathRange,
            query: queryRange, parameters: .none, routePattern: routePattern, body: ByteBuffer(), parent: self,
            capture: nil)
    }

    /// A request made inside the process on behalf of `parent`; see `RouteTable.dispatch`.
    init(
        method: HTTPMethod, headers: Headers, bytes: ByteBuffer, path: Range<Int>, query: Range<Int>,
        parameters: RouteParameters, routePattern: String, body: ByteBuffer, parent: Request,
        capture: (@Sendable (Response) -> Void)?
    ) {
        self.method = method
        self.headers = headers
        self.parameters = parameters
        self.routePattern = routePattern
        self.bodyStream = nil
        self.started = MonotonicClock.now()
        self.eventLoop = parent.eventLoop
        self.remoteIP = parent.remoteIP
        self.remotePort = parent.remotePort
        self.isSecure = parent.isSecure
        self.bytes = bytes
        self.targetRange = 0..<bytes.readableBytes
        self.pathRange = path
        self.queryRange = query
        self.isHTTP10 = false
        self.connection = nil
        self.capture = capture
        self.exchange = 0
        var state = State()
        state.body = body
        self.state = Mutex(state)
    }

    deinit {
        // A handler that drops its responder must not leave the client waiting for ever.
        let isForgotten = state.withLock { $0.isDispatched && !$0.isAnswered }
        guard isForgotten else { return }
        if let connection {
            let exchange = self.exchange
            connection.later { connection.abandon(exchange) }
        } else if let capture {
            capture(HTTPFailure.plainText(.unanswered, nil))
        }
    }

    /// The request target as it was sent, with the query.
    package var target: String { text(targetRange) }
    /// Calls a body with the target and the first values of two headers, named in lower case, as they were sent, without
    /// making strings; empty for a header that was not sent. The pointers are valid inside `body` only.
    package func withTarget(
        and one: StaticString, _ other: StaticString,
        _ body: (_ target: UnsafeRawBufferPointer, UnsafeRawBufferPointer, UnsafeRawBufferPointer) -> Void
    ) {
        bytes.withUnsafeReadableBytes { bytes in
            let target = UnsafeRawBufferPointer(rebasing: bytes[targetRange])
            headers.withFirst(one, other) { body(target, $0, $1) }
        }
    }

    /// The path as it was sent, still percent-encoded, without the query.
    package var path: String { text(pathRange) }
    /// The path as routes see it, percent-decoded.
    package var decodedPath: String {
        let path = path
        return path.utf8.contains(UInt8(ascii: "%")) ? PercentCoding.decode(path) : path
    }
    /// The query as it was sent, without the question mark.
    package var rawQuery: String { text(queryRange) }

    /// The whole body of a collected route. Empty for streaming routes.
    package var body: ByteBuffer {
        state.withLock { $0.body }
    }

    /// Runs `work` after a while, on the request's event loop; not at all when the server has stopped by then.
    package func later(milliseconds: Int, _ work: @escaping @Sendable () -> Void) {
        eventLoop.scheduleTask(in: .milliseconds(Int64(milliseconds)), work)
    }

    /// True when the client has closed its side, so that no one is likely to read the answer.
    package var isClosed: Bool {
        connection?.isGone ?? false
    }

    /// Calls `callback` on the event loop once when the client goes away before the answer is finished.
    ///
    /// It is called at once when the client has gone already, and never when the answer is out first.
    package func onClose(_ callback: @escaping @Sendable () -> Void) {
        guard let connection else { return }
        let exchange = self.exchange
        connection.onLoop { connection.addCloseCallback(exchange, callback) }
    }

    /// Whether a middleware left anything: cheaper to ask than for each key.
    package var hasAttributes: Bool { state.withLock { !$0.attributes.isEmpty } }

    /// What a middleware left under `key`.
    package subscript<Key: RequestKey>(_ key: Key.Type) -> Key.Value? {
        get {
            state.withLock { state in
                for attribute in state.attributes where attribute.key == ObjectIdentifier(key) {
                    // The key says which type it is: cheaper than to ask the runtime, for each of the many look-ups.
                    return unsafeDowncast(attribute, to: Attribute<Key>.self).value
                }
                return nil
            }
        }
        set {
            state.withLock { state in
                state.attributes.removeAll { $0.key == ObjectIdentifier(key) }
                if let newValue { state.attributes.append(Attribute<Key>(newValue)) }
            }
        }
    }

    /// Adds a header to whatever answer this request will get. Several of one name are all sent.
    package func addResponseHeader(_ name: String, _ value: String) {
        state.withLock { $0.responseHeaders.append((name, value)) }
    }

    /// Sets a header of whatever answer this request will get, in place of those added before.
    ///
    /// A header of the same name in the `Response` wins over it (except `Vary` and `Set-Cookie`, which add up).
    package func setResponseHeader(_ name: String, _ value: String) {
        state.withLock { state in
            state.responseHeaders.removeAll { ASCII.equal($0.0, name) }
            state.responseHeaders.append((name, value))
        }
    }

    /// Sends these headers, serialised once, in place of those that `use` was given.
    package func replaceFixedHeaders(_ headers: FixedHeaders) { state.withLock { $0.fixedHeaders = headers } }

    /// Headers, serialised once, that go with whatever answer this request will get. See `FixedHeaders`.
    package func use(_ headers: FixedHeaders) {
        let replaced = state.withLock { state -> FixedHeaders? in
            let old = state.fixedHeaders
            state.fixedHeaders = headers
            return old
        }
        guard let replaced else { return }
        for (name, value) in replaced.pairs { addResponseHeader(name, value) }
    }

    /// The decoded query, in the order sent. Parsed once.
    package var queryItems: [(name: String, value: String)] {
        guard !queryRange.isEmpty else { return [] }
        return state.withLock { state in
            if let items = state.queryItems { return items }
            let items = bytes.withUnsafeReadableBytes {
                URLEncodedForm.parse(UnsafeRawBufferPointer(rebasing: $0[queryRange])).map {
                    (name: CombiningMarks.limited($0.name), value: CombiningMarks.limited($0.value))
                }
            }
            state.queryItems = items
            return items
        }
    }

    /// The first decoded value of `name` in the query, or nil.
    package func queryValue(_ name: String) -> String? {
        guard !queryRange.isEmpty else { return nil }
        return queryItems.first { $0.name == name }?.value
    }

    /// What stopped the server from taking the request as it was sent, for example a body over the limit.
    ///
    /// The route's middlewares still run, then the configuration's `errorResponse` answers instead of the handler.
    package var failure: HTTPFailure? {
        state.withLock { $0.failure }
    }

    private func text(_ range: Range<Int>) -> String {
        bytes.withUnsafeReadableBytes { String(decoding: UnsafeRawBufferPointer(rebasing: $0[range]), as: UTF8.self) }
    }
}
