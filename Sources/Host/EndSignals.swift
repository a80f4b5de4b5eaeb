import Dispatch
import Glibc
import Roost
import Synchronization

/// The signals that a server lives with: SIGTERM and SIGINT, of which the first lets running requests finish and a second
/// ends at once, and SIGHUP, for the certificate.
///
/// They are blocked from the start and taken by one thread, so that none is lost that comes before the server waits for
/// its end.
enum EndSignals {
    /// How often a certificate's files are looked at, in seconds.
    private static let certificateInterval = 10

    private static let first = DispatchSemaphore(value: 0)
    private static let running = Mutex<Server?>(nil)

    /// Takes the signals from now on. On the main thread, before there are others: these inherit that they are blocked.
    ///
    /// What ends the process before the server runs is remembered until it does; a second time ends it at once.
    static func block(withHangup: Bool) {
        var signals = set(withHangup: withHangup)
        pthread_sigmask(SIG_BLOCK, &signals, nil)
        DispatchQueue(label: "roost.signals").async {
            var signals = set(withHangup: withHangup)
            var interval = timespec(tv_sec: certificateInterval, tv_nsec: 0)
            var isEnding = false
            while true {
                switch withHangup ? sigtimedwait(&signals, nil, &interval) : sigwaitinfo(&signals, nil) {
                case SIGTERM, SIGINT:
                    if isEnding { _exit(1) }
                    isEnding = true
                    first.signal()
                default:
                    // SIGHUP, or nothing for a while.
                    if !isEnding { running.withLock { $0 }?.reloadCertificate() }
                }
            }
        }
    }

    /// Waits for the end of the process, with the server stopped before it.
    static func wait(for server: Server) -> Never {
        running.withLock { $0 = server }
        first.wait()
        server.stop()
        // Without what would be torn down under threads that plugins may still have.
        fflush(nil)
        _exit(0)
    }

    private static func set(withHangup: Bool) -> sigset_t {
        var signals = sigset_t()
        sigemptyset(&signals)
        sigaddset(&signals, SIGTERM)
        sigaddset(&signals, SIGINT)
        if withHangup { sigaddset(&signals, SIGHUP) }
        return signals
    }
}
