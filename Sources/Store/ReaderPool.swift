/// The connections that read: opened when needed, lent to one thread at a time, the last one given back first.
///
/// `@unchecked Sendable`: all that changes is guarded by the monitor.
final class ReaderPool: @unchecked Sendable {
    private let open: @Sendable () throws -> Connection
    private let limit: Int
    private let waitLimit: UInt64
    private let monitor = Monitor()
    private var idle: [Connection] = []
    private var lent = 0
    private var waiting = 0
    /// The fewest connections that were idle since the last shrinking: so many were not needed.
    private var spare = 0
    private var isClosed = false

    /// - Parameters:
    ///   - limit: the most connections at a time.
    ///   - waitLimit: how long to wait for one, in nanoseconds.
    ///   - open: opens one.
    init(limit: Int, waitLimit: UInt64, open: @escaping @Sendable () throws -> Connection) {
        self.limit = max(1, limit)
        self.waitLimit = waitLimit
        self.open = open
    }

    /// Takes a connection, waiting for one if all are lent.
    func take() throws -> Connection {
        let reused: Connection? = try monitor.withLock {
            var deadline: UInt64 = 0
            while true {
                if isClosed { throw StoreError.closed }
                if let connection = idle.popLast() {
                    lent += 1
                    spare = min(spare, idle.count)
                    return connection
                }
                if lent < limit {
                    lent += 1
                    spare = 0
                    return nil
                }
                if deadline == 0 { deadline = monotonicNanoseconds() + waitLimit }
                waiting += 1
                let isInTime = monitor.wait(until: deadline)
                waiting -= 1
                if !isInTime, idle.isEmpty { throw StoreError.overloaded("no reader became free in time") }
            }
        }
        if let reused { return reused }
        do {
            return try open()
        } catch {
            monitor.withLock {
                lent -= 1
                monitor.signal()
            }
            throw error
        }
    }

    func giveBack(_ connection: Connection) {
        connection.endLoan()
        monitor.withLock {
            lent -= 1
            if !isClosed { idle.append(connection) }
            if waiting > 0 || isClosed { monitor.broadcast() }
        }
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
        // Closed here, outside of the lock.
        closing.removeAll()
    }

    /// Refuses loans from now on, waits a while for those out and closes the connections.
    func close() {
        var closing: [Connection] = []
        monitor.withLock {
            isClosed = true
            monitor.broadcast()
            let deadline = monotonicNanoseconds() + waitLimit
            while lent > 0, monitor.wait(until: deadline) {}
            closing = idle
            idle = []
        }
        closing.removeAll()
    }
}
