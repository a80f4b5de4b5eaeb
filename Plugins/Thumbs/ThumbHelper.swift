import CSpawn
import Glibc
import PluginKit

/// One running `roost-thumbs`: a process that decodes, so that nothing in an image can take the server down. Used by one
/// thread.
final class ThumbHelper {
    struct Failure: Error {
        let reason: String
    }

    /// Seconds for one image.
    private static let patience = 30

    private let process: pid_t
    private let socket: Int32

    init(_ settings: ThumbSettings) throws(Failure) {
        let program = try Self.program()
        var ends: [Int32] = [-1, -1]
        let kind = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        guard socketpair(AF_UNIX, kind, 0, &ends) == 0 else { throw Failure(reason: "there is no socket for it") }
        defer { close(ends[1]) }
        let arguments = [program, String(settings.maxPixels), String(settings.maxMemory)]
        guard let process = Self.spawn(program, arguments, input: ends[1]) else {
            close(ends[0])
            throw Failure(reason: "\(program) could not be started")
        }
        self.process = process
        socket = ends[0]
    }

    deinit {
        // It ends with its input, or has no chance to go on.
        close(socket)
        var status: Int32 = 0
        for _ in 0..<20 {
            if waitpid(process, &status, WNOHANG) != 0 { return }
            usleep(10_000)
        }
        kill(process, SIGKILL)
        waitpid(process, &status, 0)
    }

    /// - Returns: why there is no thumb; nil when it was made.
    /// - Throws: when the helper is of no use any more.
    func make(_ order: ThumbOrder) throws(Failure) -> String? {
        var request: [UInt8] = []
        for part in [order.source, order.target, order.size, order.type] {
            guard !part.utf8.contains(0) else { return "its name cannot be used" }
            request += part.utf8
            request.append(0)
        }
        let length = UInt32(request.count)
        let head = (0..<4).map { UInt8(truncatingIfNeeded: length >> (8 * $0)) }
        guard send(head + request) else { throw Failure(reason: "the helper has ended") }
        let deadline = Self.now() + Self.patience * 1000
        let size = try receive(4, before: deadline).reversed().reduce(0) { $0 << 8 | Int($1) }
        guard size <= 64 << 10 else { throw Failure(reason: "the helper answers nonsense") }
        let reason = try receive(size, before: deadline)
        return reason.isEmpty ? nil : String(decoding: reason, as: UTF8.self)
    }

    private func send(_ bytes: [UInt8]) -> Bool {
        bytes.withUnsafeBytes { bytes in
            var sent = 0
            while sent < bytes.count {
                // Without the signal that writing to who has gone would send.
                let step = Glibc.send(
                    socket, bytes.baseAddress.map { $0 + sent }, bytes.count - sent, Int32(MSG_NOSIGNAL))
                if step < 0, errno == EINTR { continue }
                if step <= 0 { return false }
                sent += step
            }
            return true
        }
    }

    private func receive(_ count: Int, before deadline: Int) throws(Failure) -> [UInt8] {
        var bytes: [UInt8] = []
        while bytes.count < count {
            var poll = pollfd(fd: socket, events: Int16(POLLIN), revents: 0)
            let left = deadline - Self.now()
            let ready = left > 0 ? Glibc.poll(&poll, 1, Int32(left)) : 0
            if ready < 0, errno == EINTR { continue }
            guard ready > 0 else { throw Failure(reason: "the image took too long") }
            let piece = [UInt8](unsafeUninitializedCapacity: count - bytes.count) { buffer, filled in
                filled = max(read(socket, buffer.baseAddress, buffer.count), 0)
            }
            guard !piece.isEmpty else { throw Failure(reason: "the image ended the helper") }
            bytes += piece
        }
        return bytes
    }

    /// Milliseconds of a clock that only goes forward.
    private static func now() -> Int {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return time.tv_sec * 1000 + time.tv_nsec / 1_000_000
    }

    // MARK: - Starting

    /// The program beside the plugin's library, which like it nobody else may be able to write to.
    private static func program() throws(Failure) -> String {
        guard let name = roost_library_of(#dsohandle) else {
            throw Failure(reason: "the plugin does not find its own folder")
        }
        let library = String(cString: name)
        let folder = library.lastIndex(of: "/").map { String(library[..<$0]) } ?? "."
        let path = "\(folder)/roost-thumbs"
        var status = stat()
        guard stat(path, &status) == 0 else { throw Failure(reason: "\(path) is missing; install the plugin again") }
        guard status.st_uid == geteuid() || status.st_uid == 0, status.st_mode & (S_IWGRP | S_IWOTH) == 0 else {
            throw Failure(reason: "\(path) is writable by others; run: chmod go-w \(path)")
        }
        return path
    }

    /// Starts a program with a socket for standard input. Of the server's environment, which may hold its secrets, it
    /// gets only where libraries are.
    private static func spawn(_ program: String, _ arguments: [String], input: Int32) -> pid_t? {
        var environment = ["LC_ALL=C.UTF-8", "SWIFT_BACKTRACE=enable=no"]
        if let path = getenv("LD_LIBRARY_PATH") { environment.append("LD_LIBRARY_PATH=\(String(cString: path))") }
        let words: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) } + [nil]
        let variables: [UnsafeMutablePointer<CChar>?] = environment.map { strdup($0) } + [nil]
        defer { for text in words + variables { free(text) } }
        let process = roost_spawn(program, words, variables, input)
        return process > 0 ? process : nil
    }
}
