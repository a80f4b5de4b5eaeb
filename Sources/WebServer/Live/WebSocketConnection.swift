import Glibc
import NIOCore

/// One WebSocket, from the handshake on: the only handler of its channel (behind TLS, where there is any).
///
/// `@unchecked Sendable`: its event loop's alone.
final class WebSocketConnection: ChannelDuplexHandler, LiveSink, @unchecked Sendable {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = IOData

    /// After so long without a byte of the client it is asked for one, and after twice as long it counts as gone. Tests
    /// shorten it; it is no setting for operators.
    private static let silence: UInt64 = {
        let seconds = getenv("ROOST_TEST_WEBSOCKET_SILENCE").flatMap { UInt64(String(cString: $0)) } ?? 45
        return max(1, min(seconds, 3600)) * 1_000_000_000
    }()
    /// How long a client may take to answer a close frame and to take in what waits before it.
    private static let farewellTime: UInt64 = 30_000_000_000

    private let live: LiveStream
    private let loop: LoopState
    private let isPlain: Bool
    private var context: ChannelHandlerContext?
    private var direct: DirectOutput?
    private var parser: WebSocketParser
    private var pending = ByteBuffer()
    private var isReading = false
    private var isReadHeld = false
    private var needsFlush = false
    private var lastByte: UInt64
    private var hasAsked = false
    /// When a closing one is cut; 0 while it is open.
    private var closesAt: UInt64 = 0
    private var stuckSince: UInt64 = 0

    /// - Parameter isPlain: whether what the channel is given goes to the socket as it is.
    init(live: LiveStream, isPlain: Bool) {
        self.live = live
        self.isPlain = isPlain
        loop = live.loop
        parser = WebSocketParser(maxMessage: live.options.maxMessage, allowsCompression: live.isCompressing)
        lastByte = live.loop.tick
    }

    // MARK: Channel events

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        if isPlain { direct = DirectOutput(context.channel) }
        loop.sockets[ObjectIdentifier(self)] = self
        live.attach(self, form: live.isCompressing ? .compressed : .frame)
    }

    func handlerRemoved(context: ChannelHandlerContext) { leave() }

    func channelInactive(context: ChannelHandlerContext) { leave() }

    private func leave() {
        live.holdSocket()
        context = nil
        direct = nil
        pending = ByteBuffer()
        loop.sockets[ObjectIdentifier(self)] = nil
        live.over(.left)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        // A WebSocket that is closed on one side is closed.
        if let event = event as? ChannelEvent, event == .inputClosed { context.close(promise: nil) }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = unwrapInboundIn(data)
        lastByte = loop.tick
        hasAsked = false
        if closesAt > 0, live.hasEnded, isIgnoring { return }
        if pending.readableBytes == 0 { pending = bytes } else { pending.writeBuffer(&bytes) }
        isReading = true
        process()
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        isReading = false
        flushLive()
    }

    /// Nothing is read from a client that does not read: it could otherwise have us gather answers without end.
    func read(context: ChannelHandlerContext) {
        if context.channel.isWritable || closesAt > 0 { context.read() } else { isReadHeld = true }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        stuckSince = context.channel.isWritable ? 0 : MonotonicClock.now()
        if context.channel.isWritable, isReadHeld {
            isReadHeld = false
            context.read()
        }
    }

    // MARK: Frames

    private var isIgnoring = false

    private func process() {
        while !isIgnoring {
            do throws(WebSocketViolation) {
                guard let event = try parser.next(&pending) else { break }
                handle(event)
            } catch {
                isIgnoring = true
                live.over(.broken)
                sayGoodbye(error.code, error.reason)
            }
        }
        // An empty buffer would keep the bytes of the last read alive while the connection rests.
        if isIgnoring || pending.readableBytes == 0 { pending = ByteBuffer() }
    }

    private func handle(_ event: WebSocketParser.Event) {
        switch event {
        case .message(let isText, let data):
            if !live.hasEnded { live.options.onMessage?(isText, data) }
        case .ping(let payload): write(WebSocketFrame.make(.pong, payload.readableBytesView))
        case .pong: break
        case .close(let code):
            isIgnoring = true
            if closesAt > 0 {
                context?.close(promise: nil)
            } else {
                live.over(.left)
                sayGoodbye(code ?? 1000, "")
            }
        }
    }

    private func write(_ frame: ByteBuffer) {
        guard closesAt == 0 else { return }
        context?.write(wrapOutboundOut(.byteBuffer(frame)), promise: nil)
        live.holdSocket()
        needsFlush = true
    }

    /// Sends a close frame as the last one and closes the connection a moment after.
    private func sayGoodbye(_ code: UInt16, _ reason: String) {
        guard closesAt == 0, let context else { return }
        write(WebSocketFrame.close(code, reason))
        closesAt = MonotonicClock.now() + Self.farewellTime
        if isIgnoring {
            let channel = context.channel
            let promise = context.eventLoop.makePromise(of: Void.self)
            promise.futureResult.whenComplete { _ in channel.close(promise: nil) }
            context.writeAndFlush(wrapOutboundOut(.byteBuffer(ByteBuffer())), promise: promise)
        } else {
            context.flush()
            if isReadHeld {
                isReadHeld = false
                context.read()
            }
        }
        needsFlush = false
    }

    /// The server stops.
    func stop() { live.end(.stopping, code: 1012, reason: "the server is restarting") }

    func cut() { context?.close(promise: nil) }

    /// Looks at the clock.
    /// - Returns: the stream over which the client is to be asked whether it is there; nil mostly.
    func check(_ now: UInt64) -> LiveStream? {
        live.check(now)
        if closesAt > 0 {
            if now > closesAt { context?.close(promise: nil) }
        } else if stuckSince > 0, now > stuckSince + Self.silence {
            context?.close(promise: nil)
        } else if now > lastByte + 2 * Self.silence {
            context?.close(promise: nil)
        } else if now > lastByte + Self.silence, !hasAsked {
            hasAsked = true
            return live
        }
        return nil
    }

    // MARK: LiveSink

    var isWritable: Bool { context?.channel.isWritable ?? false }

    var waitingBytes: Int {
        (try? context?.channel.syncOptions?.getOption(ChannelOptions.bufferedWritableBytes)) ?? 0
    }

    func nextSocket() -> CInt? { needsFlush || closesAt > 0 ? nil : direct?.next() }

    func send(_ bytes: ByteBuffer) { write(bytes) }

    func flushLive() {
        guard needsFlush, !isReading else { return }
        needsFlush = false
        context?.flush()
    }

    func finish(_ end: LiveEnd, code: UInt16, reason: String) {
        if end == .stopping { isIgnoring = true }
        sayGoodbye(code, reason)
    }
}
