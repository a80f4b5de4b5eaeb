import Dispatch
import Glibc
import Roost
import Synchronization

/// Starts the program anew in its own process, with its arguments: a supervisor sees the same process go on.
enum Restart {
    private static let isRunning = Atomic<Bool>(false)

    /// Stops a server and starts the program again. Returns only when that was done already.
    static func run(_ server: Server) {
        guard isRunning.exchange(true, ordering: .acquiringAndReleasing) == false else { return }
        server.stop(drainSeconds: 2)
        // The thread that calls may block signals, and what is open would be inherited.
        var signals = sigset_t()
        sigemptyset(&signals)
        pthread_sigmask(SIG_SETMASK, &signals, nil)
        for descriptor in 3..<Int32(min(sysconf(Int32(_SC_OPEN_MAX)), 65536)) {
            _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        }
        var arguments = CommandLine.arguments.map { strdup($0) }
        arguments.append(nil)
        execv(path(), arguments)
        Terminal.error("The server could not be started anew: \(String(cString: strerror(errno))). Start it by hand.")
        _exit(1)
    }

    /// The program's file; the kernel's own name for it where it has been replaced or removed meanwhile.
    private static func path() -> String {
        let own = "/proc/self/exe"
        var bytes = [CChar](repeating: 0, count: 4096)
        let count = readlink(own, &bytes, bytes.count - 1)
        guard count > 0 else { return own }
        let path = String(decoding: bytes[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return access(path, X_OK) == 0 ? path : own
    }
}
