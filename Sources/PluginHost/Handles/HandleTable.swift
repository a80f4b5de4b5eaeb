internal import Synchronization

/// Objects under ids that a plugin may keep too long: an id names a slot and how often the slot was used, so that a
/// late use finds nothing. Any thread.
///
/// Layout of an id: bit 63 is 0 (1 is a frame of ``CallThread``), then 3 bits of shard, 28 of slot, 32 of generation. 0
/// is never an id.
struct HandleTable<Object: AnyObject & Sendable>: Sendable {
    private static var shardCount: UInt64 { 8 }
    private let shards: [Shard]

    private final class Shard: Sendable {
        struct State {
            var slots: [(generation: UInt32, object: Object?)] = []
            var free: [Int] = []
        }
        let state = Mutex<State>(State())
    }

    init() { shards = (0..<Self.shardCount).map { _ in Shard() } }

    /// Puts an object in; the table keeps it until `remove`.
    func insert(_ object: Object) -> UInt64 {
        // Threads spread over the shards by the address of what they insert: neighbours in time differ in it.
        let address = UInt(bitPattern: Unmanaged.passUnretained(object).toOpaque())
        let number = UInt64((address >> 6) ^ (address >> 12)) % Self.shardCount
        return shards[Int(number)].state.withLock { state in
            let slot: Int
            if let free = state.free.popLast() {
                slot = free
            } else {
                slot = state.slots.count
                state.slots.append((1, nil))
            }
            state.slots[slot].object = object
            return number << 60 | UInt64(slot) << 32 | UInt64(state.slots[slot].generation)
        }
    }

    /// The object of an id; nil when it was removed.
    func find(_ id: UInt64) -> Object? {
        let (number, slot, generation) = Self.parts(id)
        guard number < Self.shardCount else { return nil }
        return shards[Int(number)].state.withLock { state in
            guard slot < state.slots.count, state.slots[slot].generation == generation else { return nil }
            return state.slots[slot].object
        }
    }

    @discardableResult
    func remove(_ id: UInt64) -> Object? {
        let (number, slot, generation) = Self.parts(id)
        guard number < Self.shardCount else { return nil }
        return shards[Int(number)].state.withLock { state in
            guard slot < state.slots.count, state.slots[slot].generation == generation,
                let object = state.slots[slot].object
            else { return nil }
            state.slots[slot].object = nil
            // A slot whose counter is used up is never used again.
            if state.slots[slot].generation < .max {
                state.slots[slot].generation += 1
                state.free.append(slot)
            }
            return object
        }
    }

    /// How many objects there are, for tests and leak checks.
    var count: Int {
        shards.reduce(0) { $0 + $1.state.withLock { state in state.slots.count { $0.object != nil } } }
    }

    private static func parts(_ id: UInt64) -> (shard: UInt64, slot: Int, generation: UInt32) {
        (id >> 60, Int(id >> 32 & 0xFFF_FFFF), UInt32(truncatingIfNeeded: id))
    }
}
