internal import CSQLite

/// What the progress handler of a connection watches. Touched only by the thread that runs a statement on it.
struct ProgressState {
    /// How many steps of SQLite's virtual machine pass between two looks at the clock: some tens of microseconds.
    static let interval: Int32 = 1000

    /// End of the budget, in nanoseconds of the thread's processor time (a thread that has to wait for its turn has not
    /// used anything up), and of the deadline, in nanoseconds of the monotonic clock.
    var budgetEnd = UInt64.max
    var deadline = UInt64.max

    /// What stopped the statement, once something has.
    var hit: StoreError.Kind?

    var isIdle: Bool { budgetEnd == .max && deadline == .max }

    /// Whether to stop now.
    mutating func check() -> Bool {
        if deadline != .max, monotonicNanoseconds() >= deadline {
            hit = .deadlineExceeded
            return true
        }
        if budgetEnd != .max, threadNanoseconds() >= budgetEnd {
            hit = .budgetExceeded
            return true
        }
        return false
    }
}

/// Has SQLite ask the state from now on, or no more when nothing is limited.
func installProgressHandler(_ handle: OpaquePointer, _ state: UnsafeMutablePointer<ProgressState>) {
    if state.pointee.isIdle {
        sqlite3_progress_handler(handle, 0, nil, nil)
        return
    }
    sqlite3_progress_handler(
        handle, ProgressState.interval,
        { context in
            guard let context else { return 0 }
            return context.assumingMemoryBound(to: ProgressState.self).pointee.check() ? 1 : 0
        }, state)
}
