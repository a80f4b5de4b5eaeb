internal import Glibc

/// Memory that is given out bit by bit and taken back all at once. One thread at a time.
final class ScratchArena {
    private static let firstSize = 4096
    /// Bytes that one call may take; a plugin that wants more has gone wrong.
    private static let limit = 1 << 30

    private let first: UnsafeMutableRawPointer?
    private var chunk: UnsafeMutableRawPointer?
    @exclusivity(unchecked) private var used = 0
    private var capacity = 0
    @exclusivity(unchecked) private var total = 0
    private var others: [UnsafeMutableRawPointer] = []

    init() {
        first = malloc(Self.firstSize)
        chunk = first
        capacity = first == nil ? 0 : Self.firstSize
    }

    deinit {
        reset()
        free(first)
    }

    /// Memory for `size` bytes, 16-byte aligned, until `reset`; nil when there is none.
    func allocate(_ size: Int) -> UnsafeMutableRawPointer? {
        guard size >= 0, size <= Self.limit - total else { return nil }
        let rounded = max(16, (size + 15) & ~15)
        if rounded > capacity - used {
            // malloc's blocks are 16-byte aligned on 64-bit glibc (its manual, 3.2.3.6).
            let size = max(rounded, min(max(capacity, Self.firstSize) * 2, 1 << 20))
            guard let fresh = malloc(size) else { return nil }
            others.append(fresh)
            chunk = fresh
            capacity = size
            used = 0
        }
        guard let memory = chunk?.advanced(by: used) else { return nil }
        used += rounded
        total += rounded
        return memory
    }

    /// Takes everything back.
    func reset() {
        if total == 0 { return }
        used = 0
        total = 0
        if others.isEmpty { return }
        for memory in others { free(memory) }
        others.removeAll(keepingCapacity: true)
        chunk = first
        capacity = first == nil ? 0 : Self.firstSize
    }
}
