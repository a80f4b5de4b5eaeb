package import Store
import Synchronization

/// Hands committed changes to one listener, on a thread of its own, in the order of their commits.
package final class ChangeFeed: Sendable {
    private enum Item {
        case change(DetailedChange)
        case job(@Sendable () -> Void)
    }

    private struct State {
        var items: [Item] = []
        /// How many of them are changes.
        var changes = 0
        var isRunning = false
        var isStopped = false
        var hasOverflowed = false
        var wanted: Set<String> = []
    }

    /// Changes that may wait. A listener that is so far behind starts anew rather than fill the memory.
    private static let capacity = 100_000
    /// Changes of one call.
    private static let batch = 256
    private let state = Mutex(State())
    private let wakeup = ConditionBox()
    private let snapshots: SnapshotPool
    private let handler: @Sendable ([DetailedChange]) -> Void
    private let lost: @Sendable () -> Void

    /// - Parameters:
    ///   - database: whose deletes are judged by what was there before.
    ///   - handler: gets the changes.
    ///   - lost: told in place of changes that were dropped.
    package init(
        _ database: Database, handler: @escaping @Sendable ([DetailedChange]) -> Void,
        lost: @escaping @Sendable () -> Void
    ) {
        snapshots = SnapshotPool(database)
        self.handler = handler
        self.lost = lost
    }

    /// The collections whose changes are wanted from now on, by id.
    /// - Returns: whether there are some among them that were not wanted before.
    package func want(_ collections: Set<String>) -> Bool {
        state.withLock { state in
            defer { state.wanted = collections }
            return !collections.isSubset(of: state.wanted)
        }
    }

    package var wantsAny: Bool { state.withLock { !$0.wanted.isEmpty } }

    func wants(_ collectionID: String) -> Bool { state.withLock { $0.wanted.contains(collectionID) } }

    func snapshot(for transaction: Transaction) -> DataSnapshot? { snapshots.snapshot(for: transaction) }

    func add(_ change: DetailedChange) {
        let (starts, wakes) = state.withLock { state -> (Bool, Bool) in
            if state.hasOverflowed { return (false, false) }
            if state.changes >= Self.capacity {
                state.items.removeAll { if case .change = $0 { true } else { false } }
                state.changes = 0
                state.hasOverflowed = true
                let report = lost
                state.items.append(.job { report() })
                return Self.start(&state)
            }
            state.items.append(.change(change))
            state.changes += 1
            return Self.start(&state)
        }
        go(starts, wakes)
    }

    /// Runs a job between two calls of the handler, in its turn.
    package func run(_ job: @escaping @Sendable () -> Void) {
        let (starts, wakes) = state.withLock { state -> (Bool, Bool) in
            state.items.append(.job(job))
            return Self.start(&state)
        }
        go(starts, wakes)
    }

    private static func start(_ state: inout State) -> (starts: Bool, wakes: Bool) {
        if state.isStopped { return (false, false) }
        defer { state.isRunning = true }
        return (!state.isRunning, state.items.count == 1)
    }

    private func go(_ starts: Bool, _ wakes: Bool) {
        if starts {
            // Without a thread the next one that comes tries again.
            if !SystemThread.start(stackBytes: 8 << 20, { self.loop() }) { state.withLock { $0.isRunning = false } }
        } else if wakes {
            wakeup.signal()
        }
    }

    private func loop() {
        while true {
            _ = wakeup.wait { state.withLock { !$0.items.isEmpty || $0.isStopped } }
            let (items, isStopped) = state.withLock { state -> ([Item], Bool) in
                let items = state.items
                state.items = []
                state.changes = 0
                state.hasOverflowed = false
                if state.isStopped { state.isRunning = false }
                return (items, state.isStopped)
            }
            if isStopped {
                // Jobs are owed to those who wait for them; changes are in the data.
                for case .job(let job) in items { job() }
                return wakeup.broadcast()
            }
            work(items)
        }
    }

    private func work(_ items: [Item]) {
        var changes: [DetailedChange] = []
        func flush() {
            if changes.isEmpty { return }
            handler(changes)
            changes.removeAll()
        }
        for item in items {
            switch item {
            case .change(let change):
                changes.append(change)
                if changes.count == Self.batch { flush() }
            case .job(let job):
                flush()
                job()
            }
        }
        flush()
    }

    /// Ends the thread; what is queued is not told any more.
    package func stop() {
        state.withLock { state in
            state.isStopped = true
            state.wanted = []
        }
        wakeup.broadcast()
        _ = wakeup.wait(seconds: 5) { state.withLock { !$0.isRunning } }
        snapshots.close()
    }
}
