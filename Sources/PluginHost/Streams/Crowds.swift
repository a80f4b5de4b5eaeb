internal import Glibc
internal import PluginABI
internal import Synchronization
internal import WebServer

/// The streams behind long lists of handles, found once: a plugin writes to the same thousands again and again, and to
/// look each of them up costs as much as all else that a delivery costs the host.
///
/// Kept until any stream ends, since it keeps its streams. Any thread.
final class Crowds: Sendable {
    private struct Crowd {
        let handles: [UInt64]
        let fanOut: LiveFanOut
    }

    /// Shorter lists are looked up faster than they are compared and kept.
    private static let shortest = 64
    private static let limit = 64
    private let crowds = Mutex<[Crowd]>([])
    /// Counts what `clear` did, so that nothing is kept that it should have removed.
    private let clearings = Atomic<UInt64>(0)

    /// - Parameter find: the stream of a handle, when it is still there.
    func fanOut(to handles: UnsafeBufferPointer<roost_stream>, find: (UInt64) -> LiveStream?) -> LiveFanOut {
        guard handles.count >= Self.shortest else { return Self.make(handles, find) }
        let known = crowds.withLock { $0.first { Self.isSame($0.handles, handles) }?.fanOut }
        if let known { return known }
        let before = clearings.load(ordering: .acquiring)
        let crowd = Crowd(handles: handles.map(\.id), fanOut: Self.make(handles, find))
        crowds.withLock { crowds in
            guard clearings.load(ordering: .acquiring) == before else { return }
            if crowds.count == Self.limit { crowds.removeFirst() }
            crowds.append(crowd)
        }
        return crowd.fanOut
    }

    /// A stream has ended, and cannot be found any more.
    func clear() {
        clearings.wrappingAdd(1, ordering: .acquiringAndReleasing)
        crowds.withLock { if !$0.isEmpty { $0 = [] } }
    }

    private static func make(
        _ handles: UnsafeBufferPointer<roost_stream>, _ find: (UInt64) -> LiveStream?
    ) -> LiveFanOut {
        var fanOut = LiveFanOut()
        for handle in handles {
            if let stream = find(handle.id) { fanOut.add(stream) }
        }
        return fanOut
    }

    private static func isSame(_ some: [UInt64], _ others: UnsafeBufferPointer<roost_stream>) -> Bool {
        guard some.count == others.count, let first = others.baseAddress else { return false }
        return some.withUnsafeBytes { some in some.baseAddress.map { memcmp($0, first, some.count) == 0 } ?? false }
    }
}
