import Synchronization

/// The shapes of reads that did not finish on the event loop, so that they go to a worker at once next time. Bounded;
/// when it is full it starts anew, since data and indexes change.
package final class SlowReads: Sendable {
    private let shapes = Mutex<Set<String>>([])
    private static let capacity = 4096

    package init() {}

    package func contains(_ shape: String) -> Bool { shapes.withLock { !$0.isEmpty && $0.contains(shape) } }

    package func insert(_ shape: String) {
        shapes.withLock { shapes in
            if shapes.count >= Self.capacity { shapes.removeAll() }
            shapes.insert(shape)
        }
    }
}
