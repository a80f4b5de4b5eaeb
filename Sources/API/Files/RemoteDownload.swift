import Engine
import JSON
import NIOCore
import Synchronization
import WebServer

/// An answer with a file that lies behind a network, passed on as it arrives.
///
/// It waits on one of the threads for transfers. A client that takes nothing for some seconds gives its thread and its
/// connection to the storage back, and the rest is asked for when it takes something again.
final class RemoteDownload: Sendable {
    private struct State {
        /// The head of an answer whose body has not begun to arrive.
        var head: (status: UInt16, headers: [(String, String)])?
        var stream: ResponseStream?
        /// What of the file is still to be read.
        var rest = 0..<0
        var version = ""
        var isFull = false
        var isClosed = false
        /// Nobody reads; the rest is read when the client takes something.
        var isParked = false
    }

    /// How long a thread waits for a client, in seconds.
    private static let patience = 2
    /// Headers for which the file must be known before it is read.
    private static let asking = [
        "Range", "If-Range", "If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since",
    ]

    private let exchange: Exchange
    private let storage: any FileStorage
    private let key: String
    private let name: String
    private let isDownload: Bool
    private let state = Mutex(State())
    private let wakeup = ConditionBox()

    init(_ exchange: Exchange, _ storage: any FileStorage, key: String, name: String, isDownload: Bool) {
        self.exchange = exchange
        self.storage = storage
        self.key = key
        self.name = name
        self.isDownload = isDownload
    }

    /// Answers. Any thread; does not wait.
    func start() {
        run { [self] in
            let request = exchange.request
            guard request.method != .get || Self.asking.contains(where: { request.headers.first($0) != nil }) else {
                return transfer(nil)
            }
            do throws(FileError) {
                guard let file = try storage.information(key) else { throw .missing("There is no such file.") }
                respond(file)
                let rest = state.withLock { $0.rest }
                if !rest.isEmpty { transfer(rest) } else { finish() }
            } catch { fail(error) }
        }
    }

    private func run(_ job: @escaping @Sendable () -> Void) {
        guard !exchange.engine.files.transfers.run(job) else { return }
        fail(.failed("Too many downloads wait for the file storage."))
    }

    /// Answers with what the request's headers ask of the file.
    private func respond(_ file: FileInformation) {
        state.withLock { $0.version = file.version }
        FileResponder.answer(exchange, file, from: .elsewhere(self), name: name, isDownload: isDownload)
    }

    /// Gives the head of an answer with a part of the file, which whoever called reads. It is sent when the first byte
    /// is there, so that a storage that fails can still be answered as what it is.
    func open(status: UInt16, headers: [(String, String)], _ range: Range<Int>) {
        let headers = headers + [("Content-Length", String(range.count))]
        let hasBody = exchange.request.method != .head && !range.isEmpty
        state.withLock { state in
            state.head = (status, headers)
            state.rest = hasBody ? range : 0..<0
        }
        if !hasBody { send() }
    }

    /// Sends the head.
    private func send() {
        let head = state.withLock { state in
            defer { state.head = nil }
            return state.head
        }
        guard let head else { return }
        let stream = exchange.responder.stream(status: head.status, headers: head.headers)
        state.withLock { $0.stream = stream }
        stream.onWritable { [self] in wake { $0.isFull = false } }
        stream.onClose { [self] in wake { $0.isClosed = true } }
    }

    /// Something has changed for who waits for the client.
    private func wake(_ change: (inout State) -> Void) {
        let rest = state.withLock { state -> Range<Int>? in
            change(&state)
            guard state.isParked, !state.isClosed else { return nil }
            state.isParked = false
            return state.rest
        }
        wakeup.broadcast()
        if let rest { run { [self] in transfer(rest) } }
    }

    /// Reads a part of the file, or all of it before the answer has begun, and passes it on.
    private func transfer(_ range: Range<Int>?) {
        let sink = Sink(self)
        do throws(FileError) {
            try storage.read(key, range, version: state.withLock { $0.version }, into: sink)
            finish()
        } catch {
            if error.isStopped {
                if !sink.isParked { finish() }
            } else {
                fail(error)
            }
        }
    }

    private func finish() {
        let (stream, isComplete) = state.withLock { ($0.stream, $0.rest.isEmpty) }
        if isComplete { stream?.end() } else { stream?.abort() }
    }

    private func fail(_ error: FileError) {
        if !error.isMissing {
            exchange.engine.logs.write(
                .warn, "A file could not be read from the file storage.",
                ["key": .string(key), "error": .string(error.description)])
        }
        // What has begun can only be cut, so that the client can tell that it is not complete.
        if let stream = state.withLock({ $0.stream }) { stream.abort() } else { exchange.fail(error.readingAnswer) }
    }

    /// Reads parts of the file into memory. On the thread that answers.
    func read(_ ranges: [Range<Int>], then: ([[UInt8]]) -> Void) {
        var pieces: [[UInt8]] = []
        do throws(FileError) {
            for range in ranges {
                let sink = Piece()
                try storage.read(key, range, version: state.withLock { $0.version }, into: sink)
                guard sink.bytes.count == range.count else { throw .failed("The file is shorter than it should be.") }
                pieces.append(sink.bytes)
            }
            then(pieces)
        } catch { fail(error) }
    }

    private final class Piece: FileSink {
        var bytes: [UInt8] = []
        func begin(_ file: FileInformation) -> Bool { true }
        func write(_ piece: UnsafeRawBufferPointer) -> Bool {
            bytes += piece
            return true
        }
    }

    /// One reading of the file.
    private final class Sink: FileSink {
        private let download: RemoteDownload
        private(set) var isParked = false

        init(_ download: RemoteDownload) { self.download = download }

        func begin(_ file: FileInformation) -> Bool {
            if download.state.withLock({ $0.stream == nil && $0.head == nil }) { download.respond(file) }
            download.send()
            return download.state.withLock { $0.stream != nil && !$0.isClosed }
        }

        func write(_ bytes: UnsafeRawBufferPointer) -> Bool {
            let stream = download.state.withLock { state in
                state.isFull = true
                state.rest = min(state.rest.lowerBound + bytes.count, state.rest.upperBound)..<state.rest.upperBound
                return state.stream
            }
            guard let stream else { return false }
            if stream.write(ByteBuffer(bytes: bytes)) {
                download.state.withLock { $0.isFull = false }
                return true
            }
            if stream.isClosed { return false }
            _ = download.wakeup.wait(seconds: RemoteDownload.patience) {
                download.state.withLock { !$0.isFull || $0.isClosed }
            }
            return download.state.withLock { state in
                if state.isClosed { return false }
                if !state.isFull || state.rest.isEmpty { return true }
                state.isParked = true
                isParked = true
                return false
            }
        }
    }
}
