import NIOCore
import Synchronization

/// One client connection: takes requests out of the bytes, one at a time, and writes their answers in order.
///
/// It is the only handler of a plain connection. Requests that come while one is being answered wait in `pending`.
///
/// `@unchecked Sendable`: all its variables belong to its event loop, which entry points assert or hop to (`onLoop`);
/// only `gone` is read elsewhere, and that is atomic.
final class Connection: ChannelDuplexHandler, RemovableChannelHandler, @unchecked Sendable {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = IOData
    typealias OutboundOut = IOData

    /// What the next received bytes are.
    enum Input {
        case head
        case fixed(remaining: Int)
        case chunked(ChunkedDecoder)
        /// Nothing of use comes any more; bytes are thrown away until the client closes.
        case ignored
    }

    /// Who gets the body.
    enum Sink {
        case discard
        case collect(Request, Route, limit: Int, received: ByteBuffer)
        case stream(BodyStream, limit: Int, received: Int)
    }

    /// The state of the current exchange (a request and its answer).
    struct Exchange {
        var id: UInt64 = 0
        var isActive = false
        var isBodyDone = true
        var isAnswerDone = true
        var isHeadSent = false
        var keepsAlive = true
        var isHTTP10 = false
        var isHeadMethod = false
        var owesContinue = false
        var status: UInt16 = 0
        var bodyBytes = 0
        var drained = 0
        /// The request was not understood, so that more bytes of it may be on the way.
        var isRefused = false
    }

    let server: ServerCore
    let eventLoop: any EventLoop
    let loop: LoopState
    let remoteIP: String
    let remotePort: Int
    /// Index in the loop's list.
    var slot = -1

    var context: ChannelHandlerContext?
    var input = Input.head
    var sink = Sink.discard
    var exchange = Exchange()
    /// The request whose answer is being streamed, for the response hook.
    var streamRequest: Request?
    var stream: ResponseStream?
    var isStreamChunked = false
    var closeCallbacks: [@Sendable () -> Void] = []
    /// When to give up waiting for the client, in monotonic nanoseconds; 0 for never.
    var deadline: UInt64 = 0
    var unwritableSince: UInt64 = 0
    var needsFlush = false
    private var pending = ByteBuffer()
    private var scanned = 0
    private var isProcessing = false
    private var isReading = false
    private var isReadHeld = false
    private var hasInputClosed = false
    private var isFirstHead = true
    private let gone = Atomic<Bool>(false)

    init(server: ServerCore, loop: LoopState, remoteAddress: SocketAddress?) {
        self.server = server
        self.loop = loop
        self.eventLoop = loop.eventLoop
        self.remoteIP = remoteAddress?.ipAddress ?? ""
        self.remotePort = remoteAddress?.port ?? 0
    }

    var isGone: Bool { gone.load(ordering: .acquiring) }
    var pendingBytes: Int { pending.readableBytes }

    /// Runs `work` on the event loop, at once when already there.
    func onLoop(_ work: @escaping @Sendable () -> Void) {
        if eventLoop.inEventLoop {
            work()
        } else {
            later(work)
        }
    }

    /// Runs `work` on the event loop's next turn; not at all when the server has stopped.
    func later(_ work: @escaping @Sendable () -> Void) {
        if !server.hasStopped { eventLoop.execute(work) }
    }

    // MARK: Channel events

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        if context.channel.isActive { begin() }
    }

    func channelActive(context: ChannelHandlerContext) {
        begin()
    }

    private func begin() {
        guard slot < 0 else { return }
        loop.add(self)
        deadline = after(server.configuration.readHeaderTimeout)
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        loop.remove(self)
        self.context = nil
    }

    func channelInactive(context: ChannelHandlerContext) {
        clientGone()
        loop.remove(self)
        input = .ignored
        pending = ByteBuffer()
        if case .collect(let request, _, _, _) = sink { request.state.withLock { $0.isAnswered = true } }
        sink = .discard
        exchange.isActive = false
        streamRequest = nil
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // A reset by the client, mostly. There is nobody left to tell.
        context.close(promise: nil)
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard let event = event as? ChannelEvent, event == .inputClosed else {
            context.fireUserInboundEventTriggered(event)
            return
        }
        hasInputClosed = true
        if case .ignored = input { return context.close(promise: nil) }
        guard exchange.isActive else { return context.close(promise: nil) }
        exchange.keepsAlive = false
        // Half-closing clients still read: they get an answer that is made in one piece. But handlers are told, and
        // streams end, because most often this is a client that has gone.
        let isOver = !exchange.isBodyDone || stream != nil
        clientGone()
        if isOver { context.close(promise: nil) }
    }

    /// Tells everyone who asked that the client will not wait for the answer.
    private func clientGone() {
        guard !gone.exchange(true, ordering: .acquiringAndReleasing) else {
            if context?.channel.isActive != true { endStream() }
            return
        }
        let callbacks = closeCallbacks
        closeCallbacks = []
        for callback in callbacks { callback() }
        if case .stream(let body, _, _) = sink, !exchange.isBodyDone { body.finish(.bodyTruncated) }
        endStream()
    }

    private func endStream() {
        guard let stream else { return }
        self.stream = nil
        stream.didClose()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = unwrapInboundIn(data)
        if case .ignored = input { return }
        if pending.readableBytes == 0 {
            pending = bytes
            scanned = 0
        } else {
            pending.writeBuffer(&bytes)
        }
        isReading = true
        process()
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        isReading = false
        flushIfNeeded()
    }

    func read(context: ChannelHandlerContext) {
        if mayRead {
            context.read()
        } else {
            isReadHeld = true
        }
    }

    private var mayRead: Bool {
        switch input {
        case .head:
            // One read ahead is allowed, so that a closing client is noticed.
            return !exchange.isActive || pending.readableBytes == 0
        case .fixed, .chunked:
            if case .stream(let body, _, _) = sink { return body.wantsMore }
            return true
        case .ignored:
            return true
        }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        unwritableSince = context.channel.isWritable ? 0 : MonotonicClock.now()
    }

    func flushIfNeeded() {
        guard needsFlush, !isReading else { return }
        needsFlush = false
        context?.flush()
    }

    // MARK: Timeouts and closing

    func after(_ milliseconds: Int) -> UInt64 {
        MonotonicClock.now() + UInt64(max(0, milliseconds)) * 1_000_000
    }

    func checkDeadlines(_ now: UInt64) {
        let stall = UInt64(max(0, server.configuration.transferTimeout)) * 1_000_000
        if unwritableSince > 0, now > unwritableSince + stall { return close() }
        guard deadline > 0, now > deadline else { return }
        switch input {
        case .head, .ignored:
            close()
        case .fixed, .chunked:
            // A consumer that takes its time is not the client's fault.
            if isReadHeld {
                deadline = after(server.configuration.transferTimeout)
            } else {
                failBody(.bodyTimeout)
            }
        }
    }

    func drain() {
        if !exchange.isActive {
            close()
        } else if let stream, stream.endsOnDrain {
            close()
        } else {
            exchange.keepsAlive = false
        }
    }

    func close() {
        context?.close(promise: nil)
    }

    func addCloseCallback(_ id: UInt64, _ callback: @escaping @Sendable () -> Void) {
        guard exchange.isActive, exchange.id == id else {
            if isGone { callback() }
            return
        }
        if isGone {
            callback()
        } else {
            closeCallbacks.append(callback)
        }
    }

    // MARK: Input

    func resumeBody() {
        if case .stream(let body, _, _) = sink, body.wantsMore { sendContinueIfOwed() }
        process()
        flushIfNeeded()
        resumeReading()
    }

    func resumeReading() {
        guard isReadHeld, mayRead, let context else { return }
        isReadHeld = false
        context.read()
    }

    /// Works through the received bytes as far as the state allows.
    func process() {
        guard !isProcessing else { return }
        isProcessing = true
        defer {
            isProcessing = false
            // An empty buffer would keep the bytes of the last read alive while the connection rests.
            if pending.readableBytes == 0, pending.capacity > 0 {
                pending = ByteBuffer()
                scanned = 0
            }
        }
        while step() {}
    }

    /// Takes one thing out of the bytes. Returns whether there may be another.
    private func step() -> Bool {
        switch input {
        case .head:
            guard !exchange.isActive, pending.readableBytes > 0 else { return false }
            return takeHead()
        case .fixed(let remaining):
            guard pending.readableBytes > 0, sinkWantsMore else { return false }
            let count = min(remaining, pending.readableBytes)
            guard let slice = pending.readSlice(length: count) else { return false }
            input = .fixed(remaining: remaining - count)
            guard deliver(slice) else { return true }
            if count == remaining { bodyDone() }
            return true
        case .chunked(var decoder):
            guard pending.readableBytes > 0, sinkWantsMore else { return false }
            do throws(HTTPFailure) {
                let event = try decoder.next(&pending)
                input = .chunked(decoder)
                switch event {
                case .data(let slice): _ = deliver(slice)
                case .end: bodyDone()
                case nil: return false
                }
                return true
            } catch {
                failBody(error)
                return false
            }
        case .ignored:
            pending = ByteBuffer()
            return false
        }
    }

    private var sinkWantsMore: Bool {
        if case .stream(let body, _, _) = sink { return body.wantsMore }
        return true
    }

    private func takeHead() -> Bool {
        if scanned == 0 { skipEmptyLines() }
        let limit = server.configuration.maxHeaderBytes
        guard let length = pending.withUnsafeReadableBytes({ RequestHeadParser.headLength($0, scanned: &scanned) }),
            length <= limit, let bytes = pending.readSlice(length: length)
        else {
            if pending.readableBytes > limit {
                refuse(.headersTooLarge)
            } else if pending.readableBytes > 0, !isFirstHead {
                // A resting connection that begins to speak has as long for its head as a new one.
                isFirstHead = true
                deadline = after(server.configuration.readHeaderTimeout)
            }
            return false
        }
        scanned = 0
        isFirstHead = false
        do throws(HTTPFailure) {
            accept(try RequestHeadParser.parse(bytes, maxFields: server.configuration.maxHeaderCount))
            return true
        } catch {
            refuse(error)
            return false
        }
    }

    /// RFC 9112 section 2.2: empty lines before a request are to be overlooked.
    private func skipEmptyLines() {
        while let byte = pending.getInteger(at: pending.readerIndex, as: UInt8.self), byte == 13 || byte == 10 {
            pending.moveReaderIndex(forwardBy: 1)
        }
    }

    /// Takes a piece of the body. Returns false when it went over the limit.
    private func deliver(_ slice: ByteBuffer) -> Bool {
        deadline = after(server.configuration.transferTimeout)
        switch sink {
        case .discard:
            exchange.drained += slice.readableBytes
            if exchange.isAnswerDone, exchange.drained > server.configuration.maxDrainedBytes { linger() }
        case .collect(let request, let route, let limit, var received):
            guard received.readableBytes + slice.readableBytes <= limit else {
                failBody(.bodyTooLarge)
                return false
            }
            sink = .discard
            if received.readableBytes == 0 {
                received = slice
            } else {
                received.writeImmutableBuffer(slice)
            }
            sink = .collect(request, route, limit: limit, received: received)
        case .stream(let body, let limit, let received):
            guard received + slice.readableBytes <= limit else {
                failBody(.bodyTooLarge)
                return false
            }
            sink = .stream(body, limit: limit, received: received + slice.readableBytes)
            body.deliver(slice)
        }
        return true
    }

    private func bodyDone() {
        input = .head
        deadline = 0
        exchange.isBodyDone = true
        exchange.owesContinue = false
        let finished = sink
        sink = .discard
        switch finished {
        case .discard:
            break
        case .collect(let request, let route, _, let received):
            request.state.withLock { $0.body = received }
            dispatch(request, route)
        case .stream(let body, _, _):
            body.finish()
        }
        finishExchangeIfDone()
    }

    /// The body cannot be taken to its end: the handler is told, and the connection ends with the answer.
    func failBody(_ failure: HTTPFailure) {
        input = .ignored
        pending = ByteBuffer()
        deadline = after(server.configuration.transferTimeout)
        exchange.keepsAlive = false
        let failed = sink
        sink = .discard
        switch failed {
        case .discard:
            if exchange.isAnswerDone { linger() }
        case .collect(let request, let route, _, _):
            request.state.withLock { $0.failure = failure }
            deadline = 0
            dispatch(request, route)
        case .stream(let body, _, _):
            deadline = 0
            body.finish(failure)
        }
        flushIfNeeded()
    }

    // MARK: Exchanges

    private func accept(_ head: RequestHead) {
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

    private func route(_ head: RequestHead) {
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
        if case .stream = route.options.body, head.hasBody { body = BodyStream(connection: self) }
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

    private func takeBody(of request: Request, _ head: RequestHead, _ route: Route, _ body: BodyStream?) {
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

    private func sendContinueIfOwed() {
        guard exchange.owesContinue, !exchange.isHeadSent, !exchange.isAnswerDone else { return }
        exchange.owesContinue = false
        guard pending.readableBytes == 0 else { return }
        write(ByteBuffer(string: "HTTP/1.1 100 Continue\r\n\r\n"))
    }

    private func dispatch(_ request: Request, _ route: Route) {
        request.state.withLock { $0.isDispatched = true }
        route.handler(request, Responder(request: request))
    }

    private func redirect(_ head: RequestHead, to path: [UInt8]) {
        let query = head.bytes.withUnsafeReadableBytes { String(decoding: $0[head.query], as: UTF8.self) }
        answer(PathCleaning.redirect(to: path, query: query, method: head.method))
    }

    /// Refuses what is not a proper request; the connection ends with the answer.
    private func refuse(_ failure: HTTPFailure) {
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

    /// Ends the sending side and waits a little for the client to close, so that it can read the last answer before a
    /// reset for its unread bytes destroys it (RFC 9112 section 9.6).
    func linger() {
        input = .ignored
        pending = ByteBuffer()
        deadline = after(500)
        guard let context else { return }
        if hasInputClosed { return context.close(promise: nil) }
        context.close(mode: .output, promise: nil)
        resumeReading()
    }

    /// Leaves the pipeline and gives what was received beyond the request to those behind.
    func leavePipeline() {
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
        loop.adopt(context.channel)
        let wasHeld = isReadHeld
        context.pipeline.syncOperations.removeHandler(context: context, promise: nil)
        if wasHeld { context.channel.read() }
    }
}
