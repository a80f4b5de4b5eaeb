import NIOCore
import Synchronization

/// The way out: answers are written in the order of their requests, because there is one exchange at a time.
extension Connection {
    /// Bodies up to this size are copied behind the head, so that one write carries both.
    static let copiedBody = 32 * 1024

    func write(_ buffer: ByteBuffer, promise: EventLoopPromise<Void>? = nil) {
        guard let context else {
            promise?.fail(ChannelError.ioOnClosedChannel)
            return
        }
        context.write(wrapOutboundOut(.byteBuffer(buffer)), promise: promise)
        needsFlush = true
        live?.holdSocket()
    }

    /// Answers the current request from the event loop.
    func respond(_ request: Request, _ response: Response) {
        guard isCurrent(request) else { return }
        switch response.body {
        case .stream(let producer):
            let stream = ResponseStream(connection: self, eventLoop: eventLoop, endsOnDrain: false)
            beginStream(request, status: response.status, headers: response.headers, stream: stream)
            producer(stream)
        case .file(let path, let offset, let length):
            sendFile(request, response, path, offset, length)
        default:
            let (fixed, extra) = request.state.withLock { ($0.fixedHeaders, $0.responseHeaders) }
            answer(response, fixed: fixed, extra: extra, request: request)
        }
        flushIfNeeded()
    }

    func isCurrent(_ request: Request) -> Bool {
        exchange.isActive && exchange.id == request.exchange && !exchange.isHeadSent && context != nil
    }

    /// Writes an answer whose body is at hand.
    func answer(
        _ response: Response, fixed: FixedHeaders? = nil, extra: [(String, String)] = [], request: Request? = nil
    ) {
        let length: Int
        switch response.body {
        case .bytes(let bytes): length = bytes.count
        case .buffer(let buffer): length = buffer.readableBytes
        default: length = 0
        }
        var framing = ResponseHeadWriter.Framing.length(length)
        if Self.isBodiless(response.status) {
            framing = .none
        } else if exchange.isHeadMethod, length == 0, let known = Self.contentLength(response.headers) {
            framing = .length(known)
        }
        let sendsBody = !exchange.isHeadMethod && !Self.isBodiless(response.status) && length > 0
        let isCopied = sendsBody && length <= Self.copiedBody
        var buffer = writeHead(
            response.status, response.headers, framing, fixed, extra, reserving: isCopied ? length : 0
        )
        exchange.bodyBytes = sendsBody ? length : 0
        switch response.body {
        case .bytes(let bytes) where sendsBody:
            // Copied in any case: an array cannot be written without.
            buffer.writeBytes(bytes)
            finishAnswer(writing: buffer)
        case .buffer(let body) where sendsBody:
            if isCopied {
                buffer.writeImmutableBuffer(body)
                finishAnswer(writing: buffer)
            } else {
                write(buffer)
                finishAnswer(writing: body)
            }
        default:
            finishAnswer(writing: buffer)
        }
        if let request { report(request) }
        finishExchangeIfDone()
    }

    private static func isBodiless(_ status: UInt16) -> Bool {
        status == 204 || status == 304 || status < 200
    }

    private static func contentLength(_ headers: [(String, String)]) -> Int? {
        for (name, value) in headers where name.utf8.count == 14 && ASCII.equal(name, "content-length") {
            return Int(value).flatMap { $0 >= 0 ? $0 : nil }
        }
        return nil
    }

    /// Serialises the head and settles whether the connection outlives the answer.
    func writeHead(
        _ status: UInt16, _ headers: [(String, String)], _ framing: ResponseHeadWriter.Framing,
        _ fixed: FixedHeaders?, _ extra: [(String, String)], reserving: Int
    ) -> ByteBuffer {
        exchange.isHeadSent = true
        exchange.status = status
        if exchange.keepsAlive { exchange.keepsAlive = outlivesAnswer(headers) }
        var buffer = context?.channel.allocator.buffer(capacity: 0) ?? ByteBuffer()
        ResponseHeadWriter(
            status: status, isHTTP10: exchange.isHTTP10, closes: !exchange.keepsAlive, framing: framing,
            headers: headers, fixed: fixed, extra: extra, date: loop.date
        ).write(into: &buffer, reserving: reserving)
        return buffer
    }

    func outlivesAnswer(_ headers: [(String, String)]) -> Bool {
        if loop.isDraining { return false }
        for (name, value) in headers
        where name.utf8.count == 10 && ASCII.equal(name, "connection") && ASCII.equal(value, "close") {
            return false
        }
        guard !exchange.isBodyDone else { return true }
        // The client may or may not send the body that it was not told to send.
        if exchange.owesContinue { return false }
        // What is left is read and thrown away, up to a size; beyond it, or where the size is not known, the client is
        // told that the connection ends, so that it does not send its next request into a closing one.
        if case .fixed(let remaining) = input { return remaining <= server.configuration.maxDrainedBytes }
        return false
    }

    /// Writes the last bytes of an answer.
    func finishAnswer(writing buffer: ByteBuffer) {
        guard !exchange.keepsAlive else {
            write(buffer)
            exchange.isAnswerDone = true
            if case .stream(let body, _, _) = sink {
                // Nobody will want the rest of the body.
                sink = .discard
                body.finish(.bodyTruncated)
                eventLoop.assumeIsolated().execute { self.resumeBody() }
            }
            return
        }
        let promise = eventLoop.makePromise(of: Void.self)
        promise.futureResult.assumeIsolated().whenComplete { _ in self.closeAfterAnswer() }
        write(buffer, promise: promise)
        exchange.isAnswerDone = true
        if case .stream(let body, _, _) = sink {
            sink = .discard
            body.finish(.bodyTruncated)
        }
        input = .ignored
        deadline = 0
    }

    func closeAfterAnswer() {
        if exchange.isBodyDone, pendingBytes == 0, !exchange.isRefused {
            close()
        } else {
            linger()
        }
    }

    func report(_ request: Request) {
        guard let observer = server.configuration.onResponse else { return }
        observer(request, exchange.status, exchange.bodyBytes, MonotonicClock.now() - request.started)
    }

    // MARK: Streams

    func beginStream(_ request: Request, status: UInt16, headers: [(String, String)], stream: ResponseStream) {
        guard isCurrent(request) else { return stream.didClose() }
        let (fixed, extra) = request.state.withLock { ($0.fixedHeaders, $0.responseHeaders) }
        let known = Self.contentLength(headers)
        var framing = ResponseHeadWriter.Framing.chunked
        if Self.isBodiless(status) {
            framing = .none
        } else if let known {
            framing = .length(known)
        } else if exchange.isHTTP10 {
            // The end of the connection is the end of the body.
            framing = .none
            exchange.keepsAlive = false
        }
        if case .chunked = framing { isStreamChunked = true } else { isStreamChunked = false }
        if exchange.isHeadMethod || Self.isBodiless(status) {
            stream.didClose()
            finishAnswer(writing: writeHead(status, headers, framing, fixed, extra, reserving: 0))
            report(request)
            finishExchangeIfDone()
        } else {
            write(writeHead(status, headers, framing, fixed, extra, reserving: 0))
            self.stream = stream
            streamRequest = request
            if isGone || loop.isDraining && stream.endsOnDrain { close() }
        }
        flushIfNeeded()
    }

    /// Sends what a stream has gathered.
    func flushStream(_ stream: ResponseStream) {
        guard self.stream === stream, let context else { return }
        let (queue, isEnded) = stream.takeQueue()
        let count = queue.readableBytes
        exchange.bodyBytes += count
        var buffer = context.channel.allocator.buffer(capacity: 0)
        if isStreamChunked {
            buffer.reserveCapacity(minimumWritableBytes: 24 + (count <= Self.copiedBody ? count : 0))
            if count > 0 { buffer.writeString(String(count, radix: 16) + "\r\n") }
        }
        if count > Self.copiedBody {
            if buffer.readableBytes > 0 { write(buffer) }
            buffer.clear()
            write(queue)
        } else {
            buffer.writeImmutableBuffer(queue)
        }
        if isStreamChunked {
            if count > 0 { buffer.writeString("\r\n") }
            if isEnded { buffer.writeString("0\r\n\r\n") }
        }
        if isEnded {
            self.stream = nil
            stream.didFinish()
            finishAnswer(writing: buffer)
            if let streamRequest { report(streamRequest) }
            streamRequest = nil
            finishExchangeIfDone()
        } else if count > 0 {
            let promise = eventLoop.makePromise(of: Void.self)
            promise.futureResult.assumeIsolated().whenSuccess { stream.didSend(count) }
            write(buffer, promise: promise)
        }
        flushIfNeeded()
    }

    func abortStream(_ stream: ResponseStream) {
        guard self.stream === stream else { return }
        close()
    }

    // MARK: Upgrades

    /// - Parameter configure: returns whether the loop knows the channel in another way already, and need not keep it to
    ///   close it when the server stops.
    /// - Returns: whether the connection is now in other hands.
    @discardableResult
    func upgrade(
        _ request: Request, status: UInt16, headers: [(String, String)],
        configure: @escaping @Sendable (any Channel) throws -> Bool
    ) -> Bool {
        guard isCurrent(request), let channel = context?.channel else { return false }
        let (fixed, extra) = request.state.withLock { ($0.fixedHeaders, $0.responseHeaders) }
        exchange.keepsAlive = true
        write(writeHead(status, headers, .none, fixed, extra, reserving: 0))
        needsFlush = false
        context?.flush()
        exchange.isAnswerDone = true
        report(request)
        do {
            let isKnown = try configure(channel)
            leavePipeline(adopting: !isKnown)
            return true
        } catch {
            close()
            return false
        }
    }
}
