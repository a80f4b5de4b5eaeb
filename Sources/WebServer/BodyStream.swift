package import NIOCore
import Synchronization

/// The body of a request on its way in, with back-pressure.
///
/// Nothing is read from the client before `start`, and reading rests while more than `window` bytes were handed out
/// without `consumed` being called for them. Callbacks run on the event loop, one at a time.
package final class BodyStream: Sendable {
    /// Bytes that may be in the consumer's hands before reading rests.
    package static let window = 1 << 20

    private let connection: Connection
    private let state = Mutex(State())

    private struct State {
        var onData: (@Sendable (ByteBuffer) -> Void)?
        var onEnd: (@Sendable () -> Void)?
        var onError: (@Sendable (HTTPFailure) -> Void)?
        var isStarted = false
        var isCancelled = false
        var isFinished = false
        var failure: HTTPFailure?
        var inFlight = 0
        var received = 0
    }

    init(connection: Connection) {
        self.connection = connection
    }

    /// Bytes received so far.
    package var bytesReceived: Int {
        state.withLock { $0.received }
    }

    /// Starts the flow. Call it once, from any thread.
    ///
    /// - Parameters:
    ///   - onData: gets each piece; call `consumed` with its size when it has been dealt with.
    ///   - onEnd: the body is complete. Not called after `onError`.
    ///   - onError: the body is over the limit, timed out, was malformed, or the client has gone. Called once at most.
    package func start(
        onData: @escaping @Sendable (ByteBuffer) -> Void,
        onEnd: @escaping @Sendable () -> Void,
        onError: @escaping @Sendable (HTTPFailure) -> Void
    ) {
        let failure = state.withLock { state -> HTTPFailure? in
            guard !state.isStarted else { return nil }
            state.isStarted = true
            if let failure = state.failure { return failure }
            state.onData = onData
            state.onEnd = onEnd
            state.onError = onError
            return nil
        }
        let connection = self.connection
        connection.onLoop {
            if let failure {
                onError(failure)
            } else {
                connection.resumeBody()
            }
        }
    }

    /// Says that `count` bytes of what `onData` was given have been dealt with. Any thread.
    package func consumed(_ count: Int) {
        let resumes = state.withLock { state in
            let wasFull = state.inFlight >= Self.window
            state.inFlight -= count
            return wasFull && state.inFlight < Self.window
        }
        guard resumes else { return }
        let connection = self.connection
        connection.later { connection.resumeBody() }
    }

    /// Stops the flow; what still comes is dropped. Any thread.
    package func cancel() {
        state.withLock { state in
            state.isCancelled = true
            state.isStarted = true
            state.onData = nil
            state.onEnd = nil
            state.onError = nil
        }
        let connection = self.connection
        connection.onLoop { connection.resumeBody() }
    }

    /// Whether the connection may hand out more now. Event loop.
    var wantsMore: Bool {
        state.withLock { $0.isStarted && ($0.isCancelled || $0.inFlight < Self.window) }
    }

    /// Hands out one piece. Event loop.
    func deliver(_ piece: ByteBuffer) {
        let count = piece.readableBytes
        let callback = state.withLock { state in
            state.received += count
            if state.onData != nil { state.inFlight += count }
            return state.onData
        }
        callback?(piece)
    }

    /// Ends the flow, once. Event loop.
    func finish(_ failure: HTTPFailure? = nil) {
        let (end, error) = state.withLock { state in
            guard !state.isFinished else { return (nil, nil) as (Callback?, ErrorCallback?) }
            state.isFinished = true
            state.failure = failure
            let callbacks = (state.onEnd, state.onError)
            state.onData = nil
            state.onEnd = nil
            state.onError = nil
            return callbacks
        }
        if let failure {
            error?(failure)
        } else {
            end?()
        }
    }

    private typealias Callback = @Sendable () -> Void
    private typealias ErrorCallback = @Sendable (HTTPFailure) -> Void
}
