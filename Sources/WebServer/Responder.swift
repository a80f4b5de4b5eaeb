package import NIOCore
import Synchronization

/// The right to answer one request, exactly once, from any thread.
///
/// When every copy is dropped without an answer, the server answers 500 for the handler.
package struct Responder: Sendable {
    package let request: Request
    private let transform: (@Sendable (Response) -> Response)?

    init(request: Request) {
        self.request = request
        self.transform = nil
    }

    private init(request: Request, transform: @escaping @Sendable (Response) -> Response) {
        self.request = request
        self.transform = transform
    }

    /// A responder that passes every `send` through `change` first. For middlewares that rewrite answers.
    package func mapping(_ change: @escaping @Sendable (Response) -> Response) -> Responder {
        guard let transform else { return Responder(request: request, transform: change) }
        return Responder(request: request, transform: { transform(change($0)) })
    }

    /// Answers the request.
    ///
    /// - Returns: false when it was answered before; then nothing is sent and `WebServer.doubleAnswers` grows.
    @discardableResult
    package func send(_ response: Response) -> Bool {
        guard claimAnswer() else { return false }
        let response = transform?(response) ?? response
        guard let connection = request.connection else {
            request.capture?(response)
            return true
        }
        let request = self.request
        connection.onLoop { connection.respond(request, response) }
        return true
    }

    /// Answers with what the configuration's `errorResponse` makes of `failure`.
    @discardableResult
    package func fail(_ failure: HTTPFailure) -> Bool {
        let make = request.connection?.server.configuration.errorResponse ?? HTTPFailure.plainText
        return send(make(failure, request))
    }

    /// Starts an answer whose body is written over time: server-sent events, large bodies.
    ///
    /// - Parameters:
    ///   - headers: with a `Content-Length` the body is sent as it is, otherwise chunked.
    ///   - endsOnDrain: true for answers without an end, which a stopping server cuts rather than waits for.
    /// - Returns: the stream; a closed one when the request was answered before or was made inside the process.
    package func stream(
        status: UInt16 = 200, headers: [(String, String)] = [], endsOnDrain: Bool = false
    ) -> ResponseStream {
        guard claimAnswer() else { return ResponseStream.closed(on: request.eventLoop) }
        guard let connection = request.connection else {
            request.capture?(HTTPFailure.plainText(.unanswered, request))
            return ResponseStream.closed(on: request.eventLoop)
        }
        let stream = ResponseStream(connection: connection, eventLoop: request.eventLoop, endsOnDrain: endsOnDrain)
        let request = self.request
        connection.onLoop { connection.beginStream(request, status: status, headers: headers, stream: stream) }
        return stream
    }

    /// Hands the raw connection over after answering `status`, for WebSocket and other protocols.
    ///
    /// The HTTP handler leaves the pipeline; bytes that were received after the request go to the handlers that
    /// `configure` adds. Does nothing when the request was answered before.
    /// - Parameter configure: runs on the event loop after the head is written; it adds its handlers with
    ///   `channel.pipeline.syncOperations`. When it throws, the connection is closed.
    @discardableResult
    package func upgrade(
        status: UInt16 = 101, headers: [(String, String)],
        configure: @escaping @Sendable (any Channel) throws -> Void
    ) -> Bool {
        guard claimAnswer(), let connection = request.connection else { return false }
        let request = self.request
        connection.onLoop {
            connection.upgrade(
                request, status: status, headers: headers,
                configure: { channel in
                    try configure(channel)
                    return false
                })
        }
        return true
    }

    /// True when someone has answered already.
    package var isAnswered: Bool {
        request.state.withLock { $0.isAnswered }
    }

    func claimAnswer() -> Bool {
        let isFirst = request.state.withLock { state in
            defer { state.isAnswered = true }
            return !state.isAnswered
        }
        if !isFirst { request.connection?.server.countDoubleAnswer() }
        return isFirst
    }
}

/// What answers a request. Runs on the event loop: it must not block, but may answer later from any thread.
package typealias Handler = @Sendable (Request, Responder) -> Void
/// What runs around a handler: it answers itself or calls the third argument, `next`.
package typealias Middleware = @Sendable (Request, Responder, _ next: @escaping Handler) -> Void

extension Responder {
    /// A responder for a hook, which may answer the request in place of its handler; the first of both counts.
    package static func answering(_ request: Request) -> Responder { Responder(request: request) }
}
