internal import CMalloc

/// The connections that read: opened when needed, lent to one thread at a time, the last one given back first.
///
/// `@unchecked Sendable`: all that changes is guarded by the monitor.
final class ReaderPool: @unchecked Sendable {
    private let open: @Sendable () throws -> Connection
    private let limit: Int
    private let waitLimit: UInt64
    private let cacheKiB: Int
    private let monitor = Monitor()
    private var idle: [Connection] = []
    private var lent = 0
    /// Lent beyond the limit.
    private var uncounted = 0
    private var waiting = 0
    /// The fewest connections that were idle since the last shrinking: so many were not needed.
    private var spare = 0
    private var isClosed = false
    /// How often the connections were renewed.
    private var generation = 0

    /// - Parameters:
    ///   - limit: the most connections at a time, not counting those of threads that must not wait (`ThreadLoans`).
    ///   - waitLimit: how long to wait for one, in nanoseconds.
    ///   - cacheKiB: the largest page caches of all together.
    ///   - open: opens one.
    init(limit: Int, waitLimit: UInt64, cacheKiB: Int, open: @escaping @Sendable () throws -> Connection) {
        self.limit = max(1, limit)
        self.waitLimit = waitLimit
        self.cacheKiB = cacheKiB
        self.open = open
    }

    /// Takes a connection, waiting for one if all are lent. It is to be given back on the same thread.
    func take() throws -> Connection {
        let isCounted = ThreadLoans.begin()
        do {
            return try take(isCounted: isCounted)
        } catch {
            _ = ThreadLoans.end()
            throw error
        }
    }

    private func take(isCounted: Bool) throws -> Connection {
        let (reused, share): (Connection?, Int) = try monitor.withLock {
            var deadline: UInt64 = 0
            while true {
                if isClosed { throw StoreError.closed }
                if !isCounted || lent < limit {
                    lent += isCounted ? 1 : 0
                    uncounted += isCounted ? 0 : 1
                    let connection = idle.popLast()
                    spare = min(spare, idle.count)
                    return (connection, cacheKiB / (idle.count + lent + uncounted))
                }
                if deadline == 0 { deadline = monotonicNanoseconds() + waitLimit }
                waiting += 1
                let isInTime = monitor.wait(until: deadline)
                waiting -= 1
                if !isInTime, lent >= limit { throw StoreError.overloaded("no reader became free in time") }
            }
        }
        if let reused {
            reused.limitCache(toKiB: share)
            return reused
        }
        do {
            let generation = monitor.withLock { self.generation }
            let connection = try open()
            connection.generation = generation
            connection.limitCache(toKiB: share)
            return connection
        } catch {
            monitor.withLock { endLoan(isCounted) }
            throw error
        }
    }

    func giveBack(_ connection: Connection) {
        connection.endLoan()
        let isCounted = ThreadLoans.end()
        monitor.withLock {
            if !isClosed, connection.generation == generation { idle.append(connection) }
            endLoan(isCounted)
        }
    }

    /// With the lock held.
    private func endLoan(_ isCounted: Bool) {
        if isCounted { lent -= 1 } else { uncounted -= 1 }
        if waiting > 0 || isClosed { monitor.broadcast() }
    }

    /// Has every connection opened anew before its next loan.
    func renew() {
        var closing: [Connection] = []
        monitor.withLock {
            generation += 1
            closing = idle
            idle = []
            spare = 0
        }
        closing.removeAll()
    }

    /// Gives back memory: closes the connections that were not used since the last call, but for a few, and empties
    /// the page caches of those.
    func shrink(keeping kept: Int) {
        var closing: [Connection] = []
        monitor.withLock {
            for connection in idle.prefix(spare) { connection.releaseMemory() }
            // The least recently used are at the front.
            closing = Array(idle.prefix(max(0, min(spare, idle.count - kept))))
            idle.removeFirst(closing.count)
            spare = idle.count
        }
        guard !closing.isEmpty else { return }
        // Closed here, outside of the lock.
        closing.removeAll()
        // The allocator would keep for later what the page caches held.
        malloc_trim(0)
    }

    /// Refuses loans from now on, waits a while for those out and closes the connections.
    func close() {
        var closing: [Connection] = []
        monitor.withLock {
            isClosed = true
            monitor.broadcast()
            let deadline = monotonicNanoseconds() + waitLimit
            while lent + uncounted > 0, monitor.wait(until: deadline) {}
            closing = idle
            idle = []
        }
        closing.removeAll()
    }
}
