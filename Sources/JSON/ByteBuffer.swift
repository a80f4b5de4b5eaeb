/// Growing memory for the writer. An array would check its bounds and owner at each append, and a value has many.
///
/// A copy shares the memory until one of the two is written to.
struct ByteBuffer: Sendable {
    /// Owns the memory.
    ///
    /// `@unchecked Sendable`: written to only by a buffer that is its sole owner.
    private final class Memory: @unchecked Sendable {
        let base: UnsafeMutablePointer<UInt8>

        init(_ capacity: Int) { base = .allocate(capacity: capacity) }
        deinit { base.deallocate() }
    }

    private var memory: Memory
    private var capacity: Int

    /// How many bytes were put in.
    var count = 0

    init(capacity: Int) {
        memory = Memory(capacity)
        self.capacity = capacity
    }

    var base: UnsafePointer<UInt8> { UnsafePointer(memory.base) }

    /// Where the next byte goes.
    var end: UnsafeMutablePointer<UInt8> { memory.base + count }

    var last: UInt8? { count > 0 ? memory.base[count - 1] : nil }

    /// Makes room for this many bytes to be put in, in memory that nobody shares.
    @inline(__always)
    mutating func ensure(_ room: Int) {
        if count &+ room > capacity || !isKnownUniquelyReferenced(&memory) { move(room) }
    }

    @inline(never)
    private mutating func move(_ room: Int) {
        let grown = max(count + room, capacity > count + room ? capacity : capacity * 2)
        let fresh = Memory(grown)
        fresh.base.update(from: memory.base, count: count)
        memory = fresh
        capacity = grown
    }

    /// Puts in a byte for which there is room.
    @inline(__always)
    mutating func put(_ byte: UInt8) {
        memory.base[count] = byte
        count &+= 1
    }

    /// Puts in bytes for which there is room.
    @inline(__always)
    mutating func put(_ bytes: UnsafePointer<UInt8>, _ length: Int) {
        (memory.base + count).update(from: bytes, count: length)
        count &+= length
    }
}
