import NIOCore
import Synchronization

/// The way in: heads and bodies are taken out of the received bytes, as far as the exchange and its consumer allow.
extension Connection {
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
    func step() -> Bool {
        switch input {
        case .head:
            guard !exchange.isActive, pending.readableBytes > 0, takesNext else { return false }
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

    /// Whether another request may begin: a client that asks without reading must not fill the memory with answers, nor the
    /// process's descriptors with files on their way.
    var takesNext: Bool { filesLeaving == 0 && context?.channel.isWritable ?? false }

    /// Goes on with requests that were received already, when answers have left.
    func takeNext() {
        guard !exchange.isActive, !isProcessing else { return }
        process()
        flushIfNeeded()
        resumeReading()
    }

    var sinkWantsMore: Bool {
        if case .stream(let body, _, _) = sink { return body.wantsMore }
        return true
    }

    func takeHead() -> Bool {
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
    func skipEmptyLines() {
        while let byte = pending.getInteger(at: pending.readerIndex, as: UInt8.self), byte == 13 || byte == 10 {
            pending.moveReaderIndex(forwardBy: 1)
        }
    }

    /// Takes a piece of the body. Returns false when it went over the limit.
    func deliver(_ slice: ByteBuffer) -> Bool {
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

    func bodyDone() {
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
}
