import CVips
import Glibc

/// `roost-thumbs`: makes thumbs for the plugin, in a process of its own that a broken image may take down.
///
/// It reads requests from standard input, which is a socket, and answers on it: a length of four bytes (little-endian),
/// then that many bytes. A request is source, target, size and type, with a NUL behind each; an answer is empty or the
/// reason why there is no thumb. The end of the input ends the process.
///
///     roost-thumbs MAX_PIXELS MAX_MEMORY_BYTES
@main
enum Program {
    private static let longest = 64 << 10

    static func main() {
        let numbers = CommandLine.arguments.dropFirst().compactMap { Int($0) }
        guard numbers.count == 2 else { exit(2) }
        roost_limit_process(Int64(numbers[1]))
        signal(SIGPIPE, SIG_IGN)
        signal(SIGXFSZ, SIG_IGN)
        // libvips would load every codec that it finds below its own folder, for formats that nobody asks for.
        setenv("VIPSHOME", "/nonexistent", 1)
        let thumbnailer = Thumbnailer(maxPixels: numbers[0])
        while let request = receive() {
            let parts = request.split(separator: 0, omittingEmptySubsequences: false)
                .map { String(decoding: $0, as: UTF8.self) }
            guard parts.count == 5 else { exit(2) }
            var reason = ""
            do throws(Thumbnailer.Failure) {
                try thumbnailer.make(source: parts[0], target: parts[1], size: parts[2], type: parts[3])
            } catch {
                reason = error.reason.isEmpty ? "it could not be decoded" : error.reason
            }
            guard send(Array(reason.utf8.prefix(1000))) else { break }
        }
    }

    private static func receive() -> [UInt8]? {
        guard let head = read(count: 4) else { return nil }
        let length = head.reversed().reduce(0) { $0 << 8 | Int($1) }
        return length <= longest ? read(count: length) : nil
    }

    private static func read(count: Int) -> [UInt8]? {
        let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            while filled < count {
                let step = Glibc.read(0, buffer.baseAddress.map { $0 + filled }, count - filled)
                if step < 0, errno == EINTR { continue }
                if step <= 0 { break }
                filled += step
            }
        }
        return bytes.count == count ? bytes : nil
    }

    private static func send(_ bytes: [UInt8]) -> Bool {
        let length = UInt32(bytes.count)
        let message = (0..<4).map { UInt8(truncatingIfNeeded: length >> (8 * $0)) } + bytes
        return message.withUnsafeBytes { message in
            var sent = 0
            while sent < message.count {
                let step = write(0, message.baseAddress.map { $0 + sent }, message.count - sent)
                if step < 0, errno == EINTR { continue }
                if step <= 0 { return false }
                sent += step
            }
            return true
        }
    }
}
