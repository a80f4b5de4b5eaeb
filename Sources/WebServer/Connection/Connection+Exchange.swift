import NIOCore
import Synchronization

/// One request after the other: from a parsed head to its handler, and on to the next when the answer is through.
extension Connection {
    func accept(_ head: RequestHead) {
        deadline = 0
        var next = Exchange()
        next.id = exchange.id + 1
        next.isActive = true
        next.isBodyDone = !head.hasBody
        next.isAnswerDone = false
        next.keepsAlive = head.keepsAlive && !loop.isDraining && !hasInputClosed
        next.isHTTP10 = head.isHTTP10
        next.isHeadMethod = head.method == .head
        next.owesContinue = head.expectation == .continue && head.hasBody && !head.isHTTP10
        exchange = next
        sink = .discard
        if head.isChunked {
            input = .chunked(ChunkedDecoder())
        } else if let length = head.contentLength, length > 0 {
            input = .fixed(remaining: length)
        }
        if head.hasBody { deadline = after(server.configuration.transferTimeout) }
        if head.expectation == .unknown { return refuse(.expectationFailed) }
        if head.isAsterisk { return answer(Response(status: 200)) }
        route(head)
    }

    func route(_ head: RequestHead) {
        let routes = server.routes
        if !head.isClean {
            let clean = head.bytes.withUnsafeReadableBytes { PathCleaning.clean($0[head.path]) }
            return redirect(head, to: clean)
        }
        let match = routes.match(head.method, head.bytes, head.path)
        if match == nil || match?.0.isSubtree == true, routes.matchesWithSlash(head.method, head.bytes, head.path) {
            let path = head.bytes.withUnsafeReadableBytes { Array($0[head.path]) }
            return redirect(head, to: path + [UInt8(ascii: "/")])
        }
        let (route, captures) = match ?? (routes.notFound, [])
        var body: BodyStream?
        if head.hasBody, route.options.streams(head) { body = BodyStream(connection: self) }
        let parameters =
            captures.isEmpty
            ? RouteParameters.none
            : RouteParameters(names: route.parameterNames, ranges: captures, bytes: head.bytes)
        let request = Request(
            head: head, parameters: parameters, routePattern: route.pattern, bodyStream: body, connection: self,
            exchange: exchange.id, started: MonotonicClock.now()
        )
        guard head.hasBody else { return dispatch(request, route) }
        takeBody(of: request, head, route, body)
    }

    func takeBody(of request: Request, _ head: RequestHead, _ route: Route, _ body: BodyStream?) {
        let limit: Int
        switch route.options.body {
        case .discard: return dispatch(request, route)
        case .collect(let maxBytes), .stream(let maxBytes): limit = route.options.bodyLimit?(request) ?? maxBytes
        }
        if let length = head.contentLength, length > limit {
            request.state.withLock { $0.failure = .bodyTooLarge }
            exchange.keepsAlive = false
            exchange.owesContinue = false
            input = .ignored
            deadline = 0
            body?.finish(.bodyTooLarge)
            return dispatch(request, route)
        }
        if let body {
            // The handler starts the stream when it is ready for it; that is when the client is told to go on.
            sink = .stream(body, limit: limit, received: 0)
            dispatch(request, route)
        } else {
            sink = .collect(request, route, limit: limit, received: ByteBuffer())
            sendContinueIfOwed()
        }
    }

    func sendContinueIfOwed() {
        guard exchange.owesContinue, !exchange.isHeadSent, !exchange.isAnswerDone else { return }
        exchange.owesContinue = false
        guard pending.readableBytes == 0 else { return }
        write(ByteBuffer(string: "HTTP/1.1 100 Continue\r\n\r\n"))
    }

    func dispatch(_ request: Request, _ route: Route) {
        request.state.withLock { $0.isDispatched = true }
        route.handler(request, Responder(request: request))
    }

    func redirect(_ head: RequestHead, to path: [UInt8]) {
        let query = head.bytes.withUnsafeReadableBytes { String(decoding: $0[head.query], as: UTF8.self) }
        answer(PathCleaning.redirect(to: path, query: query, method: head.method))
    }

    /// Refuses what is not a proper request; the connection ends with the answer.
    func refuse(_ failure: HTTPFailure) {
        if !exchange.isActive {
            exchange = Exchange(
                id: exchange.id + 1, isActive: true, isBodyDone: true, isAnswerDone: false, keepsAlive: false
            )
        }
        exchange.keepsAlive = false
        exchange.isRefused = true
        pending.moveReaderIndex(to: pending.writerIndex)
        input = .ignored
        answer(server.configuration.errorResponse(failure, nil))
        flushIfNeeded()
    }

    /// A handler let go of its responder without answering.
    func abandon(_ id: UInt64) {
        guard exchange.isActive, exchange.id == id, !exchange.isHeadSent, !exchange.isAnswerDone else { return }
        answer(server.configuration.errorResponse(.unanswered, nil))
        flushIfNeeded()
    }

    /// Ends the exchange when both the request's body and the answer are through, and goes on with the next.
    func finishExchangeIfDone() {
        guard exchange.isActive, exchange.isBodyDone, exchange.isAnswerDone else { return }
        exchange.isActive = false
        closeCallbacks = []
        deadline = after(server.configuration.idleTimeout)
        if !isProcessing {
            process()
            flushIfNeeded()
            resumeReading()
        } else if isReadHeld {
            // The loop in `process` takes the next request; reading goes on after it.
            eventLoop.assumeIsolated().execute { self.resumeReading() }
        }
    }

    /// How long a lingering connection waits for the client's next bytes, and for all of them, in milliseconds.
    static let lingerPause = 500
    static let lingerLimit = 5000

    /// Ends the sending side and waits a little for the client to close, so that it can read the last answer before a
    /// reset for its unread bytes destroys it (RFC 9112 section 9.6).
    func linger() {
        input = .ignored
        pending = ByteBuffer()
        deadline = after(Self.lingerPause)
        lingersUntil = after(Self.lingerLimit)
        guard let context else { return }
        if hasInputClosed { return context.close(promise: nil) }
        context.close(mode: .output, promise: nil)
        resumeReading()
    }

    /// Leaves the pipeline and gives what was received beyond the request to those behind.
    func leavePipeline(adopting: Bool) {
        guard let context else { return }
        let rest = pending
        pending = ByteBuffer()
        input = .ignored
        exchange.isActive = false
        closeCallbacks = []
        deadline = 0
        if rest.readableBytes > 0 {
            context.fireChannelRead(wrapInboundOut(rest))
            context.fireChannelReadComplete()
        }
        if adopting { loop.adopt(context.channel) }
        let wasHeld = isReadHeld
        context.pipeline.syncOperations.removeHandler(context: context, promise: nil)
        if wasHeld { context.channel.read() }
    }
}
