package import NIOCore
import Synchronization

/// The body of an answer on its way out, with back-pressure. Any thread may write.
package final class ResponseStream: Sendable {
    /// Bytes that may wait before `write` says that it is enough, and those left when `onWritable` is called.
    package static let highWaterMark = 256 * 1024
    static let lowWaterMark = 64 * 1024

    private let connection: Connection?
    package let eventLoop: any EventLoop
    let endsOnDrain: Bool
    private let state: Mutex<State>

    private struct State {
        var queue = ByteBuffer()
        var outstanding = 0
        var isScheduled = false
        var isEnded = false
        var isClosed = false
        var wasFull = false
        var onWritable: (@Sendable () -> Void)?
        var onClose: (@Sendable () -> Void)?
    }

    init(connection: Connection?, eventLoop: any EventLoop, endsOnDrain: Bool) {
        self.connection = connection
        self.eventLoop = eventLoop
        self.endsOnDrain = endsOnDrain
        var state = State()
        state.isClosed = connection == nil
        self.state = Mutex(state)
    }

    static func closed(on eventLoop: any EventLoop) -> ResponseStream {
        ResponseStream(connection: nil, eventLoop: eventLoop, endsOnDrain: false)
    }

    /// True when the client has gone or the server cut the stream; writing has no effect any more.
    package var isClosed: Bool {
        state.withLock { $0.isClosed }
    }

    /// Bytes that were written and have not left for the client yet.
    package var pendingBytes: Int {
        state.withLock { $0.outstanding }
    }

    /// Queues `bytes`. Small writes close to each other leave together.
    ///
    /// - Returns: false when the stream is closed (the bytes are dropped) or more than `highWaterMark` bytes wait (the
    ///   bytes are kept; write no more before `onWritable`).
    @discardableResult
    package func write(_ bytes: [UInt8]) -> Bool {
        append(count: bytes.count) { $0.writeBytes(bytes) }
    }

    @discardableResult
    package func write(_ buffer: ByteBuffer) -> Bool {
        append(count: buffer.readableBytes) { $0.writeImmutableBuffer(buffer) }
    }

    /// Ends the body. Later writes are dropped.
    package func end() {
        let schedules = state.withLock { state in
            guard !state.isEnded, !state.isClosed else { return false }
            state.isEnded = true
            state.onClose = nil
            defer { state.isScheduled = true }
            return !state.isScheduled
        }
        if schedules { schedule() }
    }

    /// Cuts the connection without a proper end, so that the client can tell that the body is not complete.
    package func abort() {
        guard let connection else { return }
        connection.onLoop { connection.abortStream(self) }
    }

    /// Called on the event loop each time the backlog has shrunk after `write` returned false.
    package func onWritable(_ callback: @escaping @Sendable () -> Void) {
        state.withLock { $0.onWritable = callback }
    }

    /// Called on the event loop once when the client goes away (or the server stops) before `end`; at once when it has.
    package func onClose(_ callback: @escaping @Sendable () -> Void) {
        let isClosed = state.withLock { state in
            if !state.isClosed, !state.isEnded { state.onClose = callback }
            return state.isClosed
        }
        guard isClosed else { return }
        if let connection {
            connection.later(callback)
        } else {
            eventLoop.execute(callback)
        }
    }

    private func append(count: Int, _ write: (inout ByteBuffer) -> Void) -> Bool {
        let (schedules, hasRoom) = state.withLock { state in
            guard !state.isClosed, !state.isEnded else { return (false, false) }
            write(&state.queue)
            state.outstanding += count
            let schedules = !state.isScheduled
            state.isScheduled = true
            let isFull = state.outstanding > Self.highWaterMark
            if isFull { state.wasFull = true }
            return (schedules, !isFull)
        }
        if schedules { schedule() }
        return hasRoom
    }

    private func schedule() {
        guard let connection else { return }
        connection.later { connection.flushStream(self) }
    }

    /// What waits to be sent, and whether it is the last. Event loop.
    func takeQueue() -> (ByteBuffer, isEnded: Bool) {
        state.withLock { state in
            state.isScheduled = false
            let queue = state.queue
            state.queue = ByteBuffer()
            return (queue, state.isEnded)
        }
    }

    /// `count` bytes have left. Event loop.
    func didSend(_ count: Int) {
        let callback = state.withLock { state -> (@Sendable () -> Void)? in
            state.outstanding -= count
            guard state.wasFull, state.outstanding <= Self.lowWaterMark, !state.isClosed else { return nil }
            state.wasFull = false
            return state.onWritable
        }
        callback?()
    }

    /// The answer is complete. Event loop.
    func didFinish() {
        state.withLock { state in
            state.isClosed = true
            state.onWritable = nil
            state.onClose = nil
        }
    }

    /// The client has gone. Event loop.
    func didClose() {
        let callback = state.withLock { state in
            let callback = state.isClosed ? nil : state.onClose
            state.isClosed = true
            state.onWritable = nil
            state.onClose = nil
            state.queue = ByteBuffer()
            return callback
        }
        callback?()
    }
}
