import NIOCore
import Synchronization

/// An answer that goes on for as long as the client stays: what `LiveStream` sends, in chunks.
extension Connection: LiveSink {
    func beginLive(_ request: Request, status: UInt16, headers: [(String, String)], live: LiveStream) {
        guard isCurrent(request) else { return live.over(.left) }
        let (fixed, extra) = request.state.withLock { ($0.fixedHeaders, $0.responseHeaders) }
        if exchange.isHeadMethod {
            live.over(.closed)
            finishAnswer(writing: writeHead(status, headers, .none, fixed, extra, reserving: 0))
            return finishExchangeIfDone()
        }
        isStreamChunked = !exchange.isHTTP10
        if exchange.isHTTP10 { exchange.keepsAlive = false }
        write(writeHead(status, headers, exchange.isHTTP10 ? .none : .chunked, fixed, extra, reserving: 0))
        self.live = live
        let prefix = live.options.prefix
        live.attach(
            self, form: isStreamChunked ? .chunk : .plain,
            prefix: FixedBytes(isStreamChunked ? Array(LivePiece.chunk(of: prefix).readableBytesView) : prefix))
        if isPlain, let context { direct = DirectOutput(context.channel) }
        if isGone || loop.isDraining { close() }
        flushIfNeeded()
    }

    var isWritable: Bool { context?.channel.isWritable ?? false }

    var waitingBytes: Int {
        (try? context?.channel.syncOptions?.getOption(ChannelOptions.bufferedWritableBytes)) ?? 0
    }

    func nextSocket() -> CInt? { needsFlush ? nil : direct?.next() }

    func send(_ bytes: ByteBuffer) { write(bytes) }

    func flushLive() { flushIfNeeded() }

    func cut() { close() }

    func finish(_ end: LiveEnd, code: UInt16, reason: String) {
        guard let farewell = live?.options.farewell, context != nil else { return }
        live = nil
        direct = nil
        var last = ByteBuffer()
        if isStreamChunked {
            if end != .closed { last = LivePiece.chunk(of: farewell) }
            last.writeString("0\r\n\r\n")
        } else if end != .closed {
            last.writeBytes(farewell)
        }
        exchange.keepsAlive = false
        finishAnswer(writing: last)
        finishExchangeIfDone()
        flushIfNeeded()
    }
}
