import Engine
import Synchronization

/// The shapes of reads that did not finish on the event loop, so that they go to a worker at once for a while. Bounded,
/// and forgotten after a minute, since data, indexes and load change.
package final class SlowReads: Sendable {
    private let shapes = Mutex<[String: UInt64]>([:])
    private static let capacity = 4096
    /// Nanoseconds.
    private static let memory: UInt64 = 60_000_000_000

    package init() {}

    package func contains(_ shape: @autoclosure () -> String) -> Bool {
        shapes.withLock { shapes in
            if shapes.isEmpty { return false }
            let shape = shape()
            guard let until = shapes[shape] else { return false }
            if until > Timestamp.monotonic() { return true }
            shapes[shape] = nil
            return false
        }
    }

    package func insert(_ shape: String) {
        shapes.withLock { shapes in
            if shapes.count >= Self.capacity { shapes.removeAll() }
            shapes[shape] = Timestamp.monotonic() + Self.memory
        }
    }
}
