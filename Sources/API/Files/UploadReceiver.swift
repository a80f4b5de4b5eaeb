import Engine
import Glibc
import NIOCore
import Synchronization
import WebServer

/// Takes a multipart body apart as it arrives: texts into memory, files onto the disk.
///
/// The event loop only hands pieces over; one job at a time on the workers takes them apart and writes, and the client
/// is read from again when it has. So a slow disk slows this client alone, and memory does not grow with the files.
final class UploadReceiver: Sendable {
    /// A form that has arrived.
    struct Form: Sendable {
        var pairs: [(name: String, value: String)] = []
        var uploads: Uploads
    }

    /// The most bytes of texts together.
    private static let maxTextBytes = 32 << 20

    private struct OpenFile: Sendable {
        var key: String
        var name: String
        var path: String
        var descriptor: Int32
        var size = 0
        var sample: [UInt8] = []
    }

    private struct State: ~Copyable {
        var parser: MultipartParser
        var waiting: [ByteBuffer] = []
        var isWorking = false
        var hasEnded = false
        var isOver = false
    }

    /// What only the job that is running touches; the lock hands it from thread to thread.
    private struct Parts: Sendable {
        var form: Form
        var file: OpenFile?
        var textName: String?
        var text: [UInt8] = []
        var textBytes = 0
    }

    private let state: Mutex<State>
    private let parts: Mutex<Parts>
    private let stream: BodyStream
    private let run: @Sendable (@escaping @Sendable () -> Void) -> Bool
    /// The largest size of a file under a key; what is larger is counted and not kept.
    private let limit: @Sendable (_ key: String) -> Int
    private let done: @Sendable (Result<Form, ServiceError>) -> Void

    /// - Parameter done: called once, on a worker thread or the event loop.
    /// - Throws: 400 when the content type has no boundary.
    init(
        _ request: Request, _ stream: BodyStream, uploads: Uploads,
        run: @escaping @Sendable (@escaping @Sendable () -> Void) -> Bool,
        limit: @escaping @Sendable (_ key: String) -> Int,
        done: @escaping @Sendable (Result<Form, ServiceError>) -> Void
    ) throws(ServiceError) {
        let type = HeaderParameters(request.headers.first("Content-Type") ?? "")
        guard let boundary = type["boundary"], let parser = try? MultipartParser(boundary: boundary) else {
            throw .badRequest()
        }
        state = Mutex(State(parser: parser))
        parts = Mutex(Parts(form: Form(uploads: uploads)))
        self.stream = stream
        self.run = run
        self.limit = limit
        self.done = done
    }

    deinit {
        parts.withLock { if let file = $0.file { close(file.descriptor) } }
    }

    func start() {
        stream.start(
            onData: { [self] piece in
                state.withLock { $0.waiting.append(piece) }
                go()
            },
            onEnd: { [self] in
                state.withLock { $0.hasEnded = true }
                go()
            },
            onError: { [self] failure in
                finish(.failure(Self.answer(to: failure)))
            })
    }

    private static func answer(to failure: HTTPFailure) -> ServiceError {
        switch failure.status {
        case 413: .tooLarge()
        case 408: ServiceError(status: 408, message: "The request took too long.")
        default: .badRequest()
        }
    }

    /// Starts the job if none is running.
    private func go() {
        let starts = state.withLock { state in
            if state.isWorking || state.isOver { return false }
            state.isWorking = true
            return true
        }
        guard starts, !run({ [self] in work() }) else { return }
        finish(.failure(ServiceError.overloaded))
    }

    private func finish(_ result: Result<Form, ServiceError>) {
        let isFirst = state.withLock { state in
            if state.isOver { return false }
            state.isOver = true
            state.waiting = []
            return true
        }
        guard isFirst else { return }
        if case .failure = result { stream.cancel() }
        done(result)
    }

    private func work() {
        while true {
            let (pieces, isEnd) = state.withLock { state -> ([ByteBuffer], Bool) in
                if state.isOver { return ([], false) }
                if !state.waiting.isEmpty {
                    defer { state.waiting = [] }
                    return (state.waiting, false)
                }
                if state.hasEnded { return ([], true) }
                state.isWorking = false
                return ([], false)
            }
            do throws(ServiceError) {
                if !pieces.isEmpty {
                    for piece in Self.joined(pieces) {
                        let size = piece.readableBytes
                        try take(piece)
                        stream.consumed(size)
                        if state.withLock({ $0.isOver }) { return }
                    }
                    continue
                }
                guard isEnd else { return }
                _ = try parse { (parser) throws(MultipartError) in
                    try parser.finish()
                    return nil
                }
                return finish(.success(parts.withLock { $0.form }))
            } catch {
                return finish(.failure(error))
            }
        }
    }

    /// Many small pieces as fewer larger ones: a client may send each byte in a chunk of its own.
    private static func joined(_ pieces: [ByteBuffer]) -> [ByteBuffer] {
        var joined: [ByteBuffer] = []
        for piece in pieces {
            if let last = joined.last, last.readableBytes < 4096, piece.readableBytes < 4096 {
                joined[joined.count - 1].writeImmutableBuffer(piece)
            } else {
                joined.append(piece)
            }
        }
        return joined
    }

    // MARK: - Parts

    private func parse(
        _ body: (inout MultipartParser) throws(MultipartError) -> MultipartParser.Event?
    ) throws(ServiceError) -> MultipartParser.Event? {
        let result = state.withLock { state -> Result<MultipartParser.Event?, MultipartError> in
            do throws(MultipartError) { return .success(try body(&state.parser)) } catch { return .failure(error) }
        }
        switch result {
        case .success(let event): return event
        case .failure: throw .badRequest()
        }
    }

    private func take(_ piece: ByteBuffer) throws(ServiceError) {
        state.withLock { $0.parser.push(piece) }
        while let event = try parse({ (parser) throws(MultipartError) in try parser.next() }) {
            let result = parts.withLock { parts -> Result<Void, ServiceError> in
                do throws(ServiceError) { return .success(try handle(event, &parts)) } catch { return .failure(error) }
            }
            try result.get()
        }
    }

    private func handle(_ event: MultipartParser.Event, _ parts: inout Parts) throws(ServiceError) {
        switch event {
        case .partBegin(let head):
            guard let filename = head.filename, !filename.isEmpty else {
                parts.textName = head.name
                parts.text = []
                return
            }
            do throws(FileError) {
                let path = try parts.form.uploads.temporaryPath()
                let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
                guard descriptor >= 0 else { throw FileError.last("An upload could not be stored") }
                parts.file = OpenFile(
                    key: head.name, name: Self.lastPart(of: filename), path: path, descriptor: descriptor)
            } catch { throw error.answer }
        case .partData(let bytes):
            if parts.file != nil {
                try write(bytes, &parts)
            } else {
                parts.textBytes += bytes.readableBytes
                guard parts.textBytes <= Self.maxTextBytes else {
                    throw .tooLarge()
                }
                parts.text += bytes.readableBytesView
            }
        case .partEnd:
            if let file = parts.file {
                close(file.descriptor)
                parts.file = nil
                let type = ContentType.of(file.sample)
                parts.form.uploads.add(
                    UploadedFile(
                        key: file.key, originalName: file.name,
                        name: FileNames.stored(for: file.name, detected: type.fileExtension), size: file.size,
                        type: type.name, temporaryPath: file.path))
            } else if let name = parts.textName {
                parts.form.pairs.append((name, String(decoding: parts.text, as: UTF8.self)))
                parts.textName = nil
                parts.text = []
            }
        case .end: break
        }
    }

    private func write(_ bytes: ByteBuffer, _ parts: inout Parts) throws(ServiceError) {
        guard var file = parts.file else { return }
        file.size += bytes.readableBytes
        if file.sample.count < ContentType.sample {
            file.sample += bytes.readableBytesView.prefix(ContentType.sample - file.sample.count)
        }
        parts.file = file
        // Too large already: the field's type will refuse it by its size, and the disk need not hold it.
        guard file.size <= limit(file.key) else { return }
        let isWritten = bytes.withUnsafeReadableBytes { FileWriting.write($0, to: file.descriptor) }
        if !isWritten { throw FileError.last("An upload could not be stored").answer }
    }

    /// A name without the folders that some clients send along.
    private static func lastPart(of name: String) -> String {
        name.split(separator: "/").last.map(String.init) ?? name
    }
}
