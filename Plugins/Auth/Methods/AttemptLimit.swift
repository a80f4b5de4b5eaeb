import Glibc
import Synchronization

/// Attempts at the few digits of a one-time password: 5 in 3 minutes for each record, from wherever they come.
final class AttemptLimit: Sendable {
    private static let most = 5
    private static let seconds = 180
    private let windows = Mutex<[String: (end: Int, count: Int)]>([:])

    /// - Returns: false when there have been too many.
    func take(_ key: String) -> Bool {
        let now = time(nil)
        return windows.withLock { windows in
            if windows.count > 10_000 { windows = windows.filter { $0.value.end > now } }
            var window = windows[key] ?? (0, 0)
            if window.end <= now { window = (now + Self.seconds, 0) }
            window.count += 1
            windows[key] = window
            return window.count <= Self.most
        }
    }
}
