internal import Engine
internal import Glibc
internal import PluginABI
internal import Synchronization

/// A record under a handle, with the copies of values that the plugin asked for.
///
/// One thread at a time has the record: another one that reads or writes a value waits, and while a function works with
/// all of it, it is told ROOST_ETHREAD.
///
/// `@unchecked Sendable`: the record is reached through `use` and `work` alone, the copies are made under the lock.
final class RecordHandle: @unchecked Sendable {
    private struct State {
        /// Whose function works with the record, and how often one is inside of another.
        var worker: UInt = 0
        var depth = 0
    }

    private let record: Record
    private let state = Mutex(State())
    private lazy var arena = ScratchArena()

    init(_ record: Record) { self.record = record }

    /// Runs a short body with the record. What it calls must not ask for the record again.
    /// - Returns: nil when another thread works with it.
    func use<R>(_ body: (Record) -> R) -> R? {
        state.withLock { state in
            guard state.depth == 0 || state.worker == UInt(pthread_self()) else { return nil }
            return body(record)
        }
    }

    /// Runs a body that may take long and call the plugin, which may go on using the record on this thread.
    /// - Returns: nil when another thread works with it.
    func work<R>(_ body: (Record) throws -> R) rethrows -> R? {
        let isOurs = state.withLock { state in
            guard state.depth == 0 || state.worker == UInt(pthread_self()) else { return false }
            state.worker = UInt(pthread_self())
            state.depth += 1
            return true
        }
        guard isOurs else { return nil }
        defer { state.withLock { $0.depth -= 1 } }
        return try body(record)
    }

    /// A value whose bytes live as long as the handle.
    func copy(_ value: Value) -> roost_value? {
        state.withLock { _ in
            withABIValue(value) { crossing in
                guard crossing.bytes.length > 0, let source = crossing.bytes.data else {
                    crossing.bytes = roost_bytes()
                    return crossing
                }
                guard let memory = arena.allocate(Int(crossing.bytes.length)) else { return nil }
                memcpy(memory, source, Int(crossing.bytes.length))
                crossing.bytes.data = UnsafePointer(memory.assumingMemoryBound(to: UInt8.self))
                return crossing
            }
        }
    }
}

enum RecordHandles {
    static let table = HandleTable<RecordHandle>()
}
