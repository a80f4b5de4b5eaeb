package import NIOCore
import Synchronization

/// How a live stream is treated. Times are in seconds, 0 for never.
package struct LiveOptions: Sendable {
    /// After so long without a message the server ends the stream.
    package var idleTimeout = 0
    package var maxAge = 0
    /// Bytes that may wait for the client before it is cut.
    package var maxPending = 1 << 20
    /// Bytes of the longest message of a WebSocket's client.
    package var maxMessage = 1 << 20
    /// Goes before each shared piece of an answer.
    package var prefix: [UInt8] = []
    /// The last bytes of an answer that the server ends.
    package var farewell: [UInt8] = []
    /// The stream is there; called before anything comes over it, on the thread that answers the request.
    package var onBegin: (@Sendable (LiveStream) -> Void)?
    /// A whole message of a WebSocket's client. Event loop.
    package var onMessage: (@Sendable (_ isText: Bool, ByteBuffer) -> Void)?
    /// The stream has ended; called once. Event loop.
    package var onClose: (@Sendable (LiveEnd) -> Void)?

    package init() {}
}

/// Why a live stream ended.
package enum LiveEnd: UInt32, Sendable {
    case left = 1
    case closed, idle, age, slow, stopping, broken
}

/// What carries a live stream: an HTTP answer or a WebSocket. Event loop.
protocol LiveSink: AnyObject {
    var isWritable: Bool { get }
    /// Bytes that wait for the client.
    var waitingBytes: Int { get }
    func send(_ piece: LivePiece, isShared: Bool)
    func flushLive()
    /// Says why and closes when everything has been sent.
    func finish(_ end: LiveEnd, code: UInt16, reason: String)
}

/// A connection to which messages are sent for as long as it is there: server-sent events or a WebSocket.
///
/// Functions may be called from any thread; what one thread sends arrives in that order.
///
/// `@unchecked Sendable`: the variables belong to the event loop, which every function hops to.
package final class LiveStream: @unchecked Sendable {
    let loop: LoopState
    let options: LiveOptions
    /// The request that began it, for those that are made on its behalf; WebSockets only.
    package let request: Request?
    private weak var sink: (any LiveSink)?
    private(set) var hasEnded = false
    private let endedFlag = Atomic<Bool>(false)
    private let began: UInt64
    private var lastMessage: UInt64

    init(loop: LoopState, options: LiveOptions, request: Request?) {
        self.loop = loop
        self.options = options
        self.request = request
        began = loop.tick
        lastMessage = loop.tick
    }

    /// Whether nothing will reach the client any more.
    package var isOver: Bool { endedFlag.load(ordering: .relaxed) }

    func attach(_ sink: any LiveSink) { self.sink = sink }

    // MARK: Any thread

    package func send(isText: Bool, _ bytes: [UInt8]) {
        let piece = LivePiece(bytes, isText: isText)
        enqueue { $0.deliver(piece, isShared: false) }
    }

    /// Sends one piece to many; the bytes are kept once.
    package static func send(isText: Bool, _ bytes: [UInt8], to streams: [LiveStream]) {
        let piece = LivePiece(bytes, isText: isText)
        var byLoop: [(loop: LoopState, streams: [LiveStream])] = []
        for stream in streams where !stream.isOver {
            if let index = byLoop.firstIndex(where: { $0.loop === stream.loop }) {
                byLoop[index].streams.append(stream)
            } else {
                byLoop.append((stream.loop, [stream]))
            }
        }
        for (loop, streams) in byLoop {
            loop.eventLoop.execute { loop.live.add(.fanOut(piece, streams)) }
        }
    }

    /// Ends it when everything has been sent.
    package func close(code: UInt16 = 1000, reason: String = "") {
        enqueue { $0.end(.closed, code: code, reason: reason) }
    }

    /// Bytes that wait for the client. Waits a moment for the event loop when called on another thread.
    package var pendingBytes: Int {
        if loop.eventLoop.inEventLoop { return sink?.waitingBytes ?? 0 }
        if isOver { return 0 }
        return (try? loop.eventLoop.submit { self.sink?.waitingBytes ?? 0 }.wait()) ?? 0
    }

    private func enqueue(_ work: @escaping @Sendable (LiveStream) -> Void) {
        let loop = self.loop
        loop.eventLoop.execute { loop.live.add(.single({ work(self) })) }
    }

    // MARK: Event loop

    func deliver(_ piece: LivePiece, isShared: Bool) {
        guard !hasEnded, let sink else { return }
        lastMessage = loop.tick
        if !sink.isWritable, sink.waitingBytes + piece.count > options.maxPending {
            return end(.slow, code: 1013, reason: "too slow")
        }
        sink.send(piece, isShared: isShared)
        sink.flushLive()
    }

    /// Ends it from this side.
    func end(_ end: LiveEnd, code: UInt16, reason: String) {
        guard !hasEnded else { return }
        let sink = self.sink
        over(end)
        sink?.finish(end, code: code, reason: reason)
    }

    /// It is over, from whichever side.
    func over(_ end: LiveEnd) {
        guard !hasEnded else { return }
        hasEnded = true
        endedFlag.store(true, ordering: .relaxed)
        sink = nil
        options.onClose?(end)
    }

    /// Looks at the clock.
    func check(_ now: UInt64) {
        guard !hasEnded else { return }
        if options.idleTimeout > 0, now > lastMessage &+ UInt64(options.idleTimeout) * 1_000_000_000 {
            end(.idle, code: 1001, reason: "idle")
        } else if options.maxAge > 0, now > began &+ UInt64(options.maxAge) * 1_000_000_000 {
            end(.age, code: 1001, reason: "age")
        }
    }
}

/// One message, in the forms in which it goes out; each is made when it is first needed.
///
/// `@unchecked Sendable`: the forms are made under the lock.
final class LivePiece: @unchecked Sendable {
    private let bytes: [UInt8]
    private let isText: Bool
    private let forms = Mutex<(chunk: ByteBuffer?, frame: ByteBuffer?)>((nil, nil))

    init(_ bytes: [UInt8], isText: Bool) {
        self.bytes = bytes
        self.isText = isText
    }

    var count: Int { bytes.count }
    var plain: ByteBuffer { ByteBuffer(bytes: bytes) }

    /// As a chunk of a chunked answer.
    var chunk: ByteBuffer {
        forms.withLock { forms in
            if let chunk = forms.chunk { return chunk }
            let chunk = Self.chunk(of: bytes)
            forms.chunk = chunk
            return chunk
        }
    }

    /// As a WebSocket frame.
    var frame: ByteBuffer {
        forms.withLock { forms in
            if let frame = forms.frame { return frame }
            let frame = WebSocketFrame.make(isText ? .text : .binary, bytes)
            forms.frame = frame
            return frame
        }
    }

    static func chunk(of bytes: [UInt8]) -> ByteBuffer {
        var buffer = ByteBuffer()
        guard !bytes.isEmpty else { return buffer }
        buffer.reserveCapacity(bytes.count + 20)
        buffer.writeString(String(bytes.count, radix: 16))
        buffer.writeString("\r\n")
        buffer.writeBytes(bytes)
        buffer.writeString("\r\n")
        return buffer
    }
}

/// What is to be sent on one event loop, in order. A fan-out to thousands is done in turns, so that requests on the same
/// loop need not wait for the last of them.
///
/// `@unchecked Sendable`: its event loop's alone.
final class LiveQueue: @unchecked Sendable {
    enum Job {
        case single(@Sendable () -> Void)
        case fanOut(LivePiece, [LiveStream])
    }

    /// Streams of one turn.
    private static let turn = 64
    private let eventLoop: any EventLoop
    private var jobs: [Job] = []
    private var head = 0
    /// How far the first job has come.
    private var position = 0
    private var isScheduled = false

    init(_ eventLoop: any EventLoop) { self.eventLoop = eventLoop }

    func add(_ job: Job) {
        if case .single(let work) = job, head == jobs.count { return work() }
        jobs.append(job)
        if !isScheduled { run() }
    }

    private func run() {
        isScheduled = false
        var room = Self.turn
        while head < jobs.count, room > 0 {
            switch jobs[head] {
            case .single(let work):
                next()
                room -= 1
                work()
            case .fanOut(let piece, let streams):
                let end = min(streams.count, position + room)
                room -= end - position
                for stream in streams[position..<end] { stream.deliver(piece, isShared: true) }
                position = end
                if end == streams.count { next() }
            }
        }
        if head < jobs.count {
            isScheduled = true
            eventLoop.execute { self.run() }
        }
    }

    private func next() {
        position = 0
        head += 1
        if head == jobs.count {
            jobs.removeAll(keepingCapacity: jobs.count < 256)
            head = 0
        } else if head > 256 {
            jobs.removeFirst(head)
            head = 0
        }
    }
}
