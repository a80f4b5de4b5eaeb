import CSocketBatch
package import NIOCore
import NIOPosix
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
    /// The socket, when nothing gathers or waits that what goes straight to it would overtake; nil otherwise.
    func nextSocket() -> CInt?
    /// Gives bytes to the channel.
    func send(_ bytes: ByteBuffer)
    func flushLive()
    /// Closes at once.
    func cut()
    /// Says why and closes when everything has been sent.
    func finish(_ end: LiveEnd, code: UInt16, reason: String)
}

/// A connection to which messages are sent for as long as it is there: server-sent events or a WebSocket.
///
/// Functions may be called from any thread; what one thread sends arrives in that order.
///
/// `@unchecked Sendable`: the variables belong to the event loop, which every function hops to.
package final class LiveStream: @unchecked Sendable {
    // What a fan-out looks at comes first: thousands of streams do not fit into the processor's caches.
    let loop: LoopState
    private(set) var hasEnded = false
    private let endedFlag = Atomic<Bool>(false)
    private let lastPending = Atomic<Int>(0)
    private var form = LivePiece.Form.frame
    /// The socket while the next bytes may go straight to it, and -1 while they may not.
    private var socket: CInt = -1
    /// The number of the batch that it was in last.
    private var batchNumber = 0
    private var lastMessage: UInt64
    private var prefixBytes = FixedBytes.none.bytes
    /// The request that began it, for those that are made on its behalf; WebSockets only.
    package let request: Request?

    let options: LiveOptions
    let isCompressing: Bool
    private var prefix = FixedBytes.none
    /// Until it is over: the two hold each other.
    private var sink: (any LiveSink)?
    private let began: UInt64

    /// - Parameters:
    ///   - request: the handshake; nil for an answer.
    ///   - isCompressing: whether a WebSocket's client takes compressed messages.
    init(loop: LoopState, options: LiveOptions, request: Request?, isCompressing: Bool = false) {
        self.loop = loop
        self.options = options
        self.request = request
        self.isCompressing = isCompressing
        began = loop.tick
        lastMessage = loop.tick
    }

    var isSocket: Bool { request != nil }

    /// Whether nothing will reach the client any more.
    package var isOver: Bool { endedFlag.load(ordering: .relaxed) }

    /// - Parameters:
    ///   - form: how it takes its messages.
    ///   - prefix: goes before each that is shared.
    func attach(_ sink: any LiveSink, form: LivePiece.Form, prefix: FixedBytes = .none) {
        if hasEnded { return }
        self.sink = sink
        self.form = form
        self.prefix = prefix
        prefixBytes = prefix.bytes
    }

    // MARK: Any thread

    package func send(isText: Bool, _ bytes: [UInt8]) {
        let piece = bytes.withUnsafeBytes {
            LivePiece($0, isText ? .text : .binary, forHTTP: !isSocket, forSockets: isSocket)
        }
        enqueue { $0.deliver(piece, isShared: false) }
    }

    /// Sends one piece to many; the bytes are kept once.
    package static func send(isText: Bool, _ bytes: [UInt8], to streams: [LiveStream]) {
        var fanOut = LiveFanOut()
        for stream in streams { fanOut.add(stream) }
        bytes.withUnsafeBytes { fanOut.send(isText: isText, $0) }
    }

    /// Ends it when everything has been sent.
    package func close(code: UInt16 = 1000, reason: String = "") {
        enqueue { $0.end(.closed, code: code, reason: reason) }
    }

    /// Bytes that wait for the client. Waits a moment for the event loop when called on a thread that may wait; on
    /// another event loop it is what was seen when that was asked last.
    package var pendingBytes: Int {
        if loop.eventLoop.inEventLoop { return sink?.waitingBytes ?? 0 }
        if isOver { return 0 }
        let look = loop.eventLoop.submit {
            let waiting = self.sink?.waitingBytes ?? 0
            self.lastPending.store(waiting, ordering: .relaxed)
            return waiting
        }
        if MultiThreadedEventLoopGroup.currentEventLoop != nil { return lastPending.load(ordering: .relaxed) }
        return (try? look.wait()) ?? 0
    }

    private func enqueue(_ work: @escaping @Sendable (LiveStream) -> Void) {
        let loop = self.loop
        loop.eventLoop.execute { loop.live.add(.single({ work(self) })) }
    }

    // MARK: Event loop

    func deliver(_ piece: LivePiece, isShared: Bool) {
        guard !hasEnded, let sink else { return }
        lastMessage = loop.tick
        if let direct = direct(piece, isShared: isShared) { return sentDirectly(direct, direct.send()) }
        if !sink.isWritable, sink.waitingBytes + piece.count > options.maxPending {
            return end(.slow, code: 1013, reason: "too slow")
        }
        if isShared, !prefixBytes.isEmpty { sink.send(ByteBuffer(bytes: prefixBytes)) }
        sink.send(piece.buffer(form))
        sink.flushLive()
    }

    /// Sends a piece together with those of other streams, when the batch runs.
    ///
    /// - Parameter place: what the batch calls this stream.
    /// - Returns: false when it is to be sent with `deliver`, after the batch has run.
    func join(_ batch: DirectBatch, _ piece: LivePiece, place: Int) -> Bool {
        guard !hasEnded, batchNumber != batch.number, let direct = direct(piece, isShared: true) else { return false }
        lastMessage = loop.tick
        batchNumber = batch.number
        batch.add(direct, place: place)
        return true
    }

    /// Begins to bring what a fan-out looks at into the processor's caches.
    /// - Parameter place: where a stream is.
    static func prefetch(_ place: UnsafeRawPointer) {
        roost_prefetch(place)
        roost_prefetch(place + 64)
    }

    func prefetchPrefix() { roost_prefetch(prefixBytes.baseAddress) }

    private func direct(_ piece: LivePiece, isShared: Bool) -> DirectPiece? {
        if socket < 0 {
            guard let found = sink?.nextSocket() else { return nil }
            socket = found
        }
        return DirectPiece(
            socket: socket, first: isShared ? prefixBytes : UnsafeRawBufferPointer(start: nil, count: 0),
            second: piece[form])
    }

    /// The channel was given something, or has closed: nothing goes past it until it says so.
    func holdSocket() { socket = -1 }

    /// - Parameter sent: how many bytes the socket took; nil when that is not known.
    func sentDirectly(_ piece: DirectPiece, _ sent: Int?) {
        guard sent != piece.count, !hasEnded, let sink else { return }
        guard let sent else { return sink.cut() }
        sink.send(piece.rest(after: sent))
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
        socket = -1
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

/// Streams of all loops that are to be sent the same, as often as wanted.
package struct LiveFanOut: Sendable {
    private var byLoop: [(loop: LoopState, streams: [LiveStream])] = []
    private var last = 0
    private var hasHTTP = false
    private var hasSockets = false
    /// How many take compressed messages.
    private var compressing = 0
    /// So many clients make up for the work of compressing, and so many bytes are worth it.
    private static let (fewest, shortest) = (8, 256)

    package init() {}

    package mutating func add(_ stream: LiveStream) {
        if stream.isOver { return }
        if stream.isSocket { hasSockets = true } else { hasHTTP = true }
        if stream.isCompressing { compressing += 1 }
        if last >= byLoop.count || byLoop[last].loop !== stream.loop {
            last = byLoop.firstIndex { $0.loop === stream.loop } ?? byLoop.count
            if last == byLoop.count { byLoop.append((stream.loop, [])) }
        }
        byLoop[last].streams.append(stream)
    }

    /// The bytes are kept once.
    /// - Parameter bytes: one message, taken over before it returns.
    package func send(isText: Bool, _ bytes: UnsafeRawBufferPointer) {
        if byLoop.isEmpty { return }
        let piece = LivePiece(
            bytes, isText ? .text : .binary, forHTTP: hasHTTP, forSockets: hasSockets,
            isCompressed: compressing >= Self.fewest && bytes.count >= Self.shortest)
        for (loop, streams) in byLoop {
            loop.eventLoop.execute { loop.live.add(.fanOut(piece, streams)) }
        }
    }
}

/// One message, in the forms in which it goes out. They are made once, and stay where they are for as long as it lives.
///
/// `@unchecked Sendable`: the memory does not change.
final class LivePiece: @unchecked Sendable {
    enum Form {
        /// A chunk of a chunked answer. For HTTP, as the next.
        case chunk
        /// The message alone.
        case plain
        /// A WebSocket frame.
        case frame
        /// The same with its message compressed, where that was worth it.
        case compressed
    }

    let count: Int
    let chunk: UnsafeRawBufferPointer
    private let plain: UnsafeRawBufferPointer
    private let frame: UnsafeRawBufferPointer
    private let compressed: UnsafeRawBufferPointer
    private let memory: UnsafeMutableRawBufferPointer
    private let buffers = Mutex<[Form: ByteBuffer]>([:])

    init(
        _ bytes: UnsafeRawBufferPointer, _ opcode: WebSocketOpcode, forHTTP: Bool, forSockets: Bool,
        isCompressed: Bool = false
    ) {
        count = bytes.count
        let size = Array("\(String(count, radix: 16))\r\n".utf8)
        let header = WebSocketFrame.header(opcode, count)
        let chunkCount = forHTTP && count > 0 ? size.count + count + 2 : 0
        let frameCount = forSockets ? header.count + count : 0
        let short = isCompressed ? MessageCompression.compress(bytes) ?? [] : []
        let shortHeader = short.isEmpty ? [] : WebSocketFrame.header(opcode, short.count, isCompressed: true)
        let total = chunkCount + frameCount + shortHeader.count + short.count
        let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: total, alignment: 1)
        self.memory = memory
        var end = 0
        func put(_ bytes: some Collection<UInt8>) {
            UnsafeMutableRawBufferPointer(rebasing: memory[end...]).copyBytes(from: bytes)
            end += bytes.count
        }
        if chunkCount > 0 {
            put(size)
            put(bytes)
            put([13, 10])
        }
        if forSockets {
            put(header)
            put(bytes)
        }
        put(shortHeader)
        put(short)
        chunk = UnsafeRawBufferPointer(rebasing: memory[..<chunkCount])
        frame = UnsafeRawBufferPointer(rebasing: memory[chunkCount..<chunkCount + frameCount])
        compressed = short.isEmpty ? frame : UnsafeRawBufferPointer(rebasing: memory[(chunkCount + frameCount)...])
        let start = forSockets ? chunkCount + header.count : size.count
        plain = UnsafeRawBufferPointer(rebasing: memory[min(start, memory.count)...].prefix(count))
    }

    deinit { memory.deallocate() }

    /// What asks a WebSocket's client whether it is there.
    static let ping = LivePiece(.init(start: nil, count: 0), .ping, forHTTP: false, forSockets: true)

    /// Bytes as a chunk of a chunked answer.
    static func chunk(of bytes: [UInt8]) -> ByteBuffer {
        if bytes.isEmpty { return ByteBuffer() }
        let piece = bytes.withUnsafeBytes { LivePiece($0, .text, forHTTP: true, forSockets: false) }
        return withExtendedLifetime(piece) { ByteBuffer(bytes: piece.chunk) }
    }

    subscript(form: Form) -> UnsafeRawBufferPointer {
        switch form {
        case .chunk: chunk
        case .plain: plain
        case .frame: frame
        case .compressed: compressed
        }
    }

    /// One of the forms for a channel's queue: all queues share it.
    func buffer(_ form: Form) -> ByteBuffer {
        buffers.withLock { buffers in
            if let buffer = buffers[form] { return buffer }
            let buffer = ByteBuffer(bytes: self[form])
            buffers[form] = buffer
            return buffer
        }
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

    /// Streams of one turn, which takes a millisecond.
    private static let turn = 2 * DirectBatch.capacity
    /// Between two turns. An event loop that has a task to run at once does not look at its connections before.
    private static let pause = TimeAmount.microseconds(20)
    private let eventLoop: any EventLoop
    /// Made at the first fan-out, on the event loop's thread.
    private var batch: DirectBatch?
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
                let end = min(streams.count, position + min(room, DirectBatch.capacity))
                room -= end - position
                fanOut(piece, streams[position..<end])
                position = end
                if end == streams.count { next() }
            }
        }
        if head < jobs.count {
            isScheduled = true
            eventLoop.scheduleTask(in: Self.pause) { self.run() }
        }
    }

    private func fanOut(_ piece: LivePiece, _ streams: ArraySlice<LiveStream>) {
        let batch = self.batch ?? DirectBatch()
        self.batch = batch
        batch.begin()
        var others: [LiveStream] = []
        streams.withUnsafeBytes { references in
            // Where they are, without looking at them: what a turn needs of its streams is brought into the processor's
            // caches all at once, instead of being waited for one by one.
            let places = references.bindMemory(to: UnsafeRawPointer.self)
            for place in places { LiveStream.prefetch(place) }
            for place in places {
                Unmanaged<LiveStream>.fromOpaque(place)._withUnsafeGuaranteedRef { $0.prefetchPrefix() }
            }
            for (index, place) in places.enumerated() {
                Unmanaged<LiveStream>.fromOpaque(place)._withUnsafeGuaranteedRef { stream in
                    if !stream.join(batch, piece, place: streams.startIndex + index) { others.append(stream) }
                }
            }
        }
        batch.run { place, direct, sent in streams[place].sentDirectly(direct, sent) }
        for stream in others { stream.deliver(piece, isShared: true) }
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
