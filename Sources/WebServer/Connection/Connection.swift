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
    /// An answer that goes on for as long as the client stays.
    var live: LiveStream?
    var direct: DirectOutput?
    var closeCallbacks: [@Sendable () -> Void] = []
    /// When to give up waiting for the client, in monotonic nanoseconds; 0 for never.
    var deadline: UInt64 = 0
    /// The latest moment up to which a client that still sends is waited for, in monotonic nanoseconds.
    var lingersUntil: UInt64 = 0
    var unwritableSince: UInt64 = 0
    /// What waited to be sent when that was looked at last, and since when it has not become less.
    private var lastWaiting = 0
    private var waitingSince: UInt64 = 0
    /// The file of which a piece is on its way, and where that ends.
    var sending: (file: OutgoingFile, end: Int)?
    /// Files of which the last piece is on its way.
    var filesLeaving = 0
    var needsFlush = false
    /// Bytes that were received and not worked through yet.
    var pending = ByteBuffer()
    var scanned = 0
    var isProcessing = false
    private var isReading = false
    var isReadHeld = false
    var hasInputClosed = false
    /// The time for the head that is awaited runs already.
    var isFirstHead = true
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
    /// Whether what the channel is given goes to the socket as it is.
    var isPlain: Bool { loop.isDirect }

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
        direct = nil
        loop.remove(self)
        self.context = nil
    }

    func channelInactive(context: ChannelHandlerContext) {
        live?.holdSocket()
        direct = nil
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
        let isOver = !exchange.isBodyDone || stream != nil || live != nil
        clientGone()
        if isOver { context.close(promise: nil) }
    }

    /// Tells everyone who asked that the client will not wait for the answer.
    func clientGone() {
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
        direct = nil
        if let live {
            self.live = nil
            live.over(.left)
        }
        guard let stream else { return }
        self.stream = nil
        stream.didClose()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = unwrapInboundIn(data)
        if case .ignored = input {
            if lingersUntil > 0 { deadline = min(after(Self.lingerPause), lingersUntil) }
            return
        }
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

    var mayRead: Bool {
        switch input {
        case .head:
            // One read ahead is allowed, so that a closing client is noticed.
            return !exchange.isActive && takesNext || pending.readableBytes == 0
        case .fixed, .chunked:
            if case .stream(let body, _, _) = sink { return body.wantsMore }
            return true
        case .ignored:
            return true
        }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        unwritableSince = context.channel.isWritable ? 0 : MonotonicClock.now()
        noteProgress()
        guard context.channel.isWritable, !exchange.isActive, pending.readableBytes > 0 else { return }
        // Not inside of the flush that made it so.
        eventLoop.assumeIsolated().execute { self.takeNext() }
    }

    /// The client has taken something.
    func noteProgress() { waitingSince = MonotonicClock.now() }

    /// Whether a client has taken nothing of what waits for it since a moment.
    private func isStalled(_ now: UInt64, since limit: UInt64) -> Bool {
        // What goes on for ever is given more than it takes, and has a limit of its own.
        if live != nil { return unwritableSince > 0 && now > unwritableSince + limit }
        guard unwritableSince > 0 || deadline == 0 || now > deadline else {
            lastWaiting = 0
            return false
        }
        let waiting = waitingBytes
        if waiting == 0 || lastWaiting == 0 || waiting < lastWaiting { waitingSince = now }
        lastWaiting = waiting
        return waiting > 0 && now > waitingSince + limit
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
        live?.check(now)
        let stall = UInt64(max(0, server.configuration.transferTimeout)) * 1_000_000
        if isStalled(now, since: stall) { return close() }
        // A file that has become shorter never leaves.
        if let sending, !sending.file.reaches(sending.end) { return close() }
        guard deadline > 0, now > deadline else { return }
        switch input {
        case .head where lastWaiting > 0:
            // The last answer is still on its way.
            deadline = now + stall
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
        } else if let live {
            live.end(.stopping, code: 1012, reason: "")
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
}
