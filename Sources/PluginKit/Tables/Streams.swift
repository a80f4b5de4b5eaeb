internal import PluginABI

/// An answer without an end, or a WebSocket. Its functions do nothing once it has ended.
public struct Stream: Hashable, Sendable {
    public let id: UInt64
    init(_ raw: roost_stream) { id = raw.id }
    var raw: roost_stream { roost_stream(id: id) }
}

/// How a stream is treated. Times are in seconds, 0 for never; sizes in bytes, 0 for 1 MiB.
public struct StreamOptions: Sendable {
    public var idleTimeout = 0
    public var maxAge = 0
    /// What may wait for a slow client before it is cut.
    public var maxPending = 0
    /// The longest message of a WebSocket's client.
    public var maxMessage = 0
    /// Goes before each piece of ``Host/write(_:to:)`` to many; not for WebSockets.
    public var prefix: [UInt8] = []
    /// The last bytes when the host ends the stream; not for WebSockets.
    public var farewell: [UInt8] = []

    public init() {}
}

/// Why a stream ended.
public enum StreamEnd: UInt32, Sendable {
    case left = 1
    case closed, idle, age, slow, stopping, broken
}

/// Who is told what comes over a stream. Event loop: nothing may wait.
public protocol StreamHandler: AnyObject, Sendable {
    /// A whole message of a WebSocket's client; the bytes are valid during the call.
    func received(_ data: UnsafeBufferPointer<UInt8>, isText: Bool, on stream: Stream)
    /// Called once; nothing comes after it.
    func ended(_ stream: Stream, _ reason: StreamEnd)
}

/// Keeps a stream's handler until it is told of the end.
private final class StreamBox: Sendable {
    let handler: any StreamHandler
    init(_ handler: any StreamHandler) { self.handler = handler }
}

private final class AnswerBox: Sendable {
    let answer: @Sendable (Int, String, [UInt8]) -> Void
    init(_ answer: @escaping @Sendable (Int, String, [UInt8]) -> Void) { self.answer = answer }
}

extension HTTPRequest {
    /// Answers with a body that is written over time. Return ``HTTPResponse/answered`` then.
    public func startStream(
        status: Int = 200, contentType: String, options: StreamOptions = StreamOptions(), handler: any StreamHandler
    ) throws -> Stream {
        try begin(options, handler) { table, raw, out in
            contentType.withRoostBytes {
                table.pointee.start?(call.raw, self.raw, Int32(clamping: status), $0, raw, out)
            }
        }
    }

    /// Answers a WebSocket handshake. Return ``HTTPResponse/answered`` then.
    ///
    /// - Returns: nil when the request is none, and still to be answered.
    public func acceptWebSocket(
        subprotocol: String = "", options: StreamOptions = StreamOptions(), handler: any StreamHandler
    ) throws -> Stream? {
        do {
            return try begin(options, handler) { table, raw, out in
                subprotocol.withRoostBytes { table.pointee.accept?(call.raw, self.raw, $0, raw, out) }
            }
        } catch let error as HostError where error.status == ROOST_EINVALID {
            return nil
        }
    }

    private func begin(
        _ options: StreamOptions, _ handler: any StreamHandler,
        _ start: (
            UnsafePointer<roost_http_stream_v1>, UnsafePointer<roost_stream_options_v1>,
            UnsafeMutablePointer<roost_stream>
        ) -> roost_status?
    ) throws -> Stream {
        guard let table = call.host.httpStreamTable else { throw HostError.denied(ROOST_TABLE_HTTP_STREAM) }
        let box = Unmanaged.passRetained(StreamBox(handler))
        var raw = roost_stream_options_v1()
        raw.idle_timeout = UInt32(clamping: options.idleTimeout)
        raw.max_age = UInt32(clamping: options.maxAge)
        raw.max_pending = UInt64(max(0, options.maxPending))
        raw.max_message = UInt64(max(0, options.maxMessage))
        raw.user = box.toOpaque()
        raw.message = { user, stream, kind, data in
            guard let user else { return }
            Unmanaged<StreamBox>.fromOpaque(user).takeUnretainedValue().handler
                .received(data.buffer, isText: kind == ROOST_MESSAGE_TEXT, on: Stream(stream))
        }
        raw.closed = { user, stream, reason in
            guard let user else { return }
            Unmanaged<StreamBox>.fromOpaque(user).takeRetainedValue().handler
                .ended(Stream(stream), StreamEnd(rawValue: reason) ?? .left)
        }
        var out = roost_stream()
        let status = options.prefix.withRoostBytes { prefix in
            options.farewell.withRoostBytes { farewell in
                raw.prefix = prefix
                raw.farewell = farewell
                return withUnsafePointer(to: raw) { start(table, $0, &out) }
            }
        }
        if (status ?? ROOST_EUNSUPPORTED) < 0 { box.release() }
        try check(status)
        return Stream(out)
    }
}

extension Host {
    /// Sends a message, or a piece of an answer's body. Any thread.
    /// - Returns: false when the stream has ended.
    @discardableResult
    public func write(_ data: [UInt8], to stream: Stream, isText: Bool = true) -> Bool {
        let kind = isText ? ROOST_MESSAGE_TEXT : ROOST_MESSAGE_BINARY
        return data.withRoostBytes { httpStreamTable?.pointee.write?(stream.raw, kind, $0) } == ROOST_OK
    }

    /// Sends one message to many. Any thread.
    public func write(_ data: [UInt8], to streams: [Stream], isText: Bool = true) {
        let kind = isText ? ROOST_MESSAGE_TEXT : ROOST_MESSAGE_BINARY
        // A Stream is its handle and nothing else.
        streams.withUnsafeBytes { bytes in
            let raw = bytes.bindMemory(to: roost_stream.self)
            _ = data.withRoostBytes {
                httpStreamTable?.pointee.write_many?(raw.baseAddress, UInt64(raw.count), kind, $0)
            }
        }
    }

    /// Ends a stream when what waits has been sent.
    public func close(_ stream: Stream, code: Int = 0, reason: String = "") {
        _ = reason.withRoostBytes { httpStreamTable?.pointee.close?(stream.raw, UInt32(clamping: code), $0) }
    }

    /// Bytes that wait for the stream's client.
    public func pending(_ stream: Stream) -> Int { Int(clamping: httpStreamTable?.pointee.pending?(stream.raw) ?? 0) }

    /// Runs a request inside the server as if the stream's client had sent it.
    ///
    /// - Parameters:
    ///   - target: path and query.
    ///   - answer: gets status, content type and body, once, on any thread.
    public func request(
        _ method: String, _ target: String, token: String, body: [UInt8], for stream: Stream,
        answer: @escaping @Sendable (_ status: Int, _ contentType: String, _ body: [UInt8]) -> Void
    ) throws {
        let box = Unmanaged.passRetained(AnswerBox(answer))
        let status = method.withRoostBytes { method in
            target.withRoostBytes { target in
                token.withRoostBytes { token in
                    body.withRoostBytes { body in
                        httpStreamTable?.pointee.request?(
                            stream.raw, method, target, token, body,
                            { user, status, type, body in
                                guard let user else { return }
                                Unmanaged<AnswerBox>.fromOpaque(user).takeRetainedValue()
                                    .answer(Int(status), type.string, Array(body.buffer))
                            }, box.toOpaque())
                    }
                }
            }
        }
        if (status ?? ROOST_EUNSUPPORTED) < 0 { box.release() }
        try check(status)
    }
}
