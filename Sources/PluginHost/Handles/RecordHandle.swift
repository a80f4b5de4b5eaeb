internal import Engine
internal import Glibc
internal import PluginABI
internal import Synchronization

/// A record under a handle, with the copies of values that the plugin asked for.
///
/// `@unchecked Sendable`: the record's own rule (one user at a time) holds for plugins too; the copies are made under
/// `lock`.
final class RecordHandle: @unchecked Sendable {
    let record: Record
    private let lock = Mutex<Void>(())
    private lazy var arena = ScratchArena()

    init(_ record: Record) { self.record = record }

    /// A value whose bytes live as long as the handle.
    func copy(_ value: Value) -> roost_value? {
        lock.withLock { _ in
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
