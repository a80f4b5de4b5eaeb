import CZlib
import Glibc
import NIOCore
import Synchronization

/// Files as gzip, each compressed once and kept in memory while there is room.
final class CompressedFiles: Sendable {
    /// A file as it is now.
    struct Version: Hashable, Sendable {
        var path: String
        var size: Int
        /// The file system's mark of its last change.
        var change: Int
    }

    typealias Answer = @Sendable (ByteBuffer?) -> Void

    private struct State {
        /// nil for a file that gets no smaller. The least recently used first.
        var kept: [(version: Version, bytes: ByteBuffer?)] = []
        var total = 0
        var waiting: [Version: [Answer]] = [:]
    }

    /// Larger files are sent as they are, from the disk.
    private static let largest = 8 << 20
    private static let smallest = 1024
    /// What is kept, in bytes and files.
    private static let room = 16 << 20
    private static let most = 500

    private let state = Mutex(State())

    /// Whether compressing a file is worth it.
    static func pays(type: String, size: Int) -> Bool {
        guard size >= smallest, size <= largest else { return false }
        if type.hasPrefix("text/") || type.hasSuffix("+xml") || type.hasSuffix("+json") { return true }
        return types.contains(type)
    }

    private static let types: Set<String> = [
        "application/json", "application/javascript", "application/xml", "application/wasm", "application/rtf",
        "application/toml", "application/x-yaml", "application/yaml", "application/vnd.ms-fontobject", "font/ttf",
        "font/otf", "image/bmp", "image/vnd.microsoft.icon", "image/x-icon",
    ]

    /// Gives a file's bytes as gzip, at once when they are at hand.
    ///
    /// - Parameters:
    ///   - run: runs a job on a worker thread; false when it takes none.
    ///   - answer: gets nil when the file is to be sent as it is.
    func get(
        _ version: Version, run: (@escaping @Sendable () -> Void) -> Bool, answer: @escaping Answer
    ) {
        enum Next { case answer(ByteBuffer?), wait, compress }
        let next: Next = state.withLock { state in
            if let index = state.kept.lastIndex(where: { $0.version == version }) {
                let entry = state.kept.remove(at: index)
                state.kept.append(entry)
                return .answer(entry.bytes)
            }
            let isRunning = state.waiting[version] != nil
            state.waiting[version, default: []].append(answer)
            return isRunning ? .wait : .compress
        }
        switch next {
        case .answer(let bytes): answer(bytes)
        case .wait: break
        case .compress:
            let isTaken = run {
                let bytes = Self.read(version).flatMap { Self.compress($0) }
                self.finish(version, bytes, keeps: true)
            }
            // Too much is waiting already: sending the file as it is needs no worker.
            if !isTaken { finish(version, nil, keeps: false) }
        }
    }

    private func finish(_ version: Version, _ bytes: ByteBuffer?, keeps: Bool) {
        let answers = state.withLock { state -> [Answer] in
            if keeps {
                state.kept.removeAll { $0.version.path == version.path }
                state.kept.append((version, bytes))
                state.total = state.kept.reduce(0) { $0 + ($1.bytes?.readableBytes ?? 0) }
                while state.total > Self.room || state.kept.count > Self.most {
                    state.total -= state.kept.removeFirst().bytes?.readableBytes ?? 0
                }
            }
            return state.waiting.removeValue(forKey: version) ?? []
        }
        for answer in answers { answer(bytes) }
    }

    private static func read(_ version: Version) -> [UInt8]? {
        let descriptor = open(version.path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        let bytes = [UInt8](unsafeUninitializedCapacity: version.size) { buffer, count in
            while count < buffer.count {
                let step = Glibc.read(descriptor, buffer.baseAddress.map { $0 + count }, buffer.count - count)
                if step <= 0 { break }
                count += step
            }
        }
        return bytes.count == version.size ? bytes : nil
    }

    /// - Returns: nil when the bytes get less than a tenth smaller.
    private static func compress(_ bytes: [UInt8]) -> ByteBuffer? {
        var stream = z_stream()
        // 16 more window bits ask for gzip's frame in place of zlib's.
        let level = deflateInit2_(
            &stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION,
            Int32(MemoryLayout<z_stream>.size))
        guard level == Z_OK else { return nil }
        defer { deflateEnd(&stream) }
        var input = bytes
        var output = ByteBuffer()
        let isDone = input.withUnsafeMutableBytes { input in
            output.writeWithUnsafeMutableBytes(minimumWritableBytes: input.count - input.count / 10) { room in
                stream.next_in = input.bindMemory(to: UInt8.self).baseAddress
                stream.avail_in = UInt32(input.count)
                stream.next_out = room.bindMemory(to: UInt8.self).baseAddress
                stream.avail_out = UInt32(min(room.count, input.count - input.count / 10))
                return deflate(&stream, Z_FINISH) == Z_STREAM_END ? Int(stream.total_out) : 0
            } > 0
        }
        // A buffer of its own size: what is kept was counted by what is in it.
        return isDone ? ByteBuffer(bytes: output.readableBytesView) : nil
    }
}
