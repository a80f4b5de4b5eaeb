/// Blocks of log lines in memory, the last of which is being filled.
struct LogBuffer: Sendable {
    /// What waits at most, in bytes; the server does not slow down for its log.
    private static let maxSize = 16 << 20

    /// Blocks that are complete, the oldest first.
    private var sealed: [LogBlock] = []
    private var open = LogBlock()
    /// The memory of a block that is done with.
    private var spare: LogBlock?
    private var sealedSize = 0
    /// Bytes of all blocks that were ever completed: where the last one ends among them.
    private(set) var position: Int

    /// - Parameter position: bytes of those blocks that were there before.
    init(position: Int) { self.position = position }

    var isEmpty: Bool { sealed.isEmpty && open.isEmpty }
    var hasSealed: Bool { !sealed.isEmpty }
    /// Whether there is no room for another line.
    var isFull: Bool { sealedSize >= Self.maxSize }

    /// - Returns: whether a block became complete by it.
    mutating func append(_ entry: LogEntry) -> Bool {
        open.append(entry)
        return sealIfFull()
    }

    /// - Returns: whether a block became complete by it.
    mutating func append(_ request: borrowing RequestLog) -> Bool {
        open.append(request)
        return sealIfFull()
    }

    private mutating func sealIfFull() -> Bool {
        guard open.isFull else { return false }
        seal()
        return true
    }

    /// Completes the block that is being filled, unless nothing is in it.
    mutating func seal() {
        guard !open.isEmpty else { return }
        sealedSize += open.size
        position += open.size
        sealed.append(open)
        open = spare ?? LogBlock()
        spare = nil
    }

    /// Takes the oldest of the complete blocks.
    mutating func takeFirst() -> LogBlock? {
        guard !sealed.isEmpty else { return nil }
        let block = sealed.removeFirst()
        sealedSize -= block.size
        return block
    }

    /// Gives back what `takeFirst` took.
    mutating func putBack(_ block: LogBlock) {
        sealedSize += block.size
        sealed.insert(block, at: 0)
    }

    /// Keeps the memory of a block for another.
    mutating func reuse(_ block: inout LogBlock) {
        guard spare == nil, block.size <= 2 * LogBlock.fullSize else { return }
        block.reset()
        spare = block
    }

    /// Forgets all lines.
    /// - Returns: the bytes of those blocks that were complete.
    mutating func clear() -> Int {
        defer {
            sealed = []
            sealedSize = 0
            open.reset()
        }
        return sealedSize
    }
}
