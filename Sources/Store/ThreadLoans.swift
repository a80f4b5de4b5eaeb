internal import Glibc

/// What the pool of readers knows of the calling thread: whether it may be made to wait for a connection, and how many
/// it holds.
///
/// A thread that holds one and waits for another could wait for itself, and an event loop that waits stops all its
/// clients. Both get a connection of their own beyond the pool's limit; there are only as many as there are threads.
package enum ThreadLoans {
    /// Bit 0: never waits. The others: the connections that the thread holds.
    private static let key: pthread_key_t = {
        var key = pthread_key_t()
        pthread_key_create(&key, nil)
        return key
    }()

    private static var state: UInt {
        get { UInt(bitPattern: pthread_getspecific(key)) }
        set { pthread_setspecific(key, UnsafeRawPointer(bitPattern: newValue)) }
    }

    /// Marks the calling thread, until it ends, as one that never waits for a connection.
    package static func neverWait() { state |= 1 }

    /// Notes a loan of the calling thread.
    /// - Returns: whether the loan counts against the pool's limit.
    static func begin() -> Bool {
        let before = state
        state = before + 2
        return before == 0
    }

    /// Notes the end of a loan of the calling thread.
    /// - Returns: whether it counted against the pool's limit.
    static func end() -> Bool {
        let after = state - 2
        state = after
        return after == 0
    }
}
