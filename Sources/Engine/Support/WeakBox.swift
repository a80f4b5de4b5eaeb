import Synchronization

/// Refers to an object that is made after who refers to it, and does not keep it.
final class WeakBox<Object: AnyObject & Sendable>: Sendable {
    private struct Reference: Sendable { weak var object: Object? }
    private let reference = Mutex(Reference())

    var object: Object? {
        get { reference.withLock { $0.object } }
        set { reference.withLock { $0.object = newValue } }
    }
}
