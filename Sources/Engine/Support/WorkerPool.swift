import Glibc
import Synchronization

/// Threads for what may wait: hooks, password hashes, reads over their budget. The queue is bounded, so that a storm of
/// slow work is refused instead of eating memory.
package final class WorkerPool: Sendable {
    private struct State {
        var jobs: [@Sendable () -> Void] = []
        var head = 0
        var threads = 0
        var idle = 0
        var stopped = false
    }

    private let state = Mutex(State())
    private let wakeup: ConditionBox
    private let maxThreads: Int
    private let maxQueued: Int

    /// - Parameters:
    ///   - maxThreads: threads at most; they are started when needed and end after ten idle seconds.
    ///   - maxQueued: jobs that may wait.
    package init(maxThreads: Int = 16, maxQueued: Int = 10_000) {
        self.maxThreads = maxThreads
        self.maxQueued = maxQueued
        wakeup = ConditionBox()
    }

    /// Runs a job on a worker thread.
    /// - Returns: false when the queue is full or the pool is stopped; the job will not run.
    package func run(_ job: @escaping @Sendable () -> Void) -> Bool {
        enum Next { case refused, queued, start }
        let next: Next = state.withLock { state in
            guard !state.stopped, state.jobs.count - state.head < maxQueued else { return .refused }
            state.jobs.append(job)
            if state.idle > 0 && state.jobs.count - state.head <= state.idle { return .queued }
            if state.threads < maxThreads {
                state.threads += 1
                return .start
            }
            return .queued
        }
        switch next {
        case .refused: return false
        case .queued: wakeup.signal()
        case .start: if !SystemThread.start({ self.work() }) { return keepWithoutThread() }
        }
        return true
    }

    /// The system has no thread for the job that was queued last: another worker will find it, if there is one.
    private func keepWithoutThread() -> Bool {
        state.withLock { state in
            state.threads -= 1
            if state.threads > 0 || state.jobs.count == state.head { return true }
            state.jobs.removeLast()
            return false
        }
    }

    /// Runs what is queued and ends the threads; later jobs are refused.
    /// - Parameter seconds: how long to wait for their end.
    /// - Returns: whether all have ended.
    @discardableResult
    package func stop(seconds: Int = 0) -> Bool {
        state.withLock { $0.stopped = true }
        wakeup.broadcast()
        return !wakeup.wait(seconds: seconds) { state.withLock { $0.threads == 0 } }
    }

    private func take() -> (job: (@Sendable () -> Void)?, end: Bool) {
        state.withLock { state in
            if state.head < state.jobs.count {
                let job = state.jobs[state.head]
                state.head += 1
                if state.head == state.jobs.count {
                    state.jobs.removeAll(keepingCapacity: true)
                    state.head = 0
                } else if state.head > 1024 {
                    state.jobs.removeFirst(state.head)
                    state.head = 0
                }
                return (job, false)
            }
            if state.stopped {
                state.threads -= 1
                return (nil, true)
            }
            return (nil, false)
        }
    }

    private func work() {
        while true {
            let (job, end) = take()
            if let job {
                job()
                continue
            }
            if end { return wakeup.broadcast() }
            state.withLock { $0.idle += 1 }
            let timedOut = wakeup.wait(seconds: 10) {
                state.withLock { $0.head < $0.jobs.count || $0.stopped }
            }
            let leaves = state.withLock { state in
                state.idle -= 1
                if timedOut && state.head == state.jobs.count {
                    state.threads -= 1
                    return true
                }
                return false
            }
            if leaves { return }
        }
    }
}

/// A thread of the system, detached, with the stack that deep expressions need.
package enum SystemThread {
    private final class Body {
        let run: @Sendable () -> Void
        init(_ run: @escaping @Sendable () -> Void) { self.run = run }
    }

    /// - Returns: false when the system has no thread left; the body will not run.
    package static func start(stackBytes: Int = 1 << 20, _ run: @escaping @Sendable () -> Void) -> Bool {
        var attributes = pthread_attr_t()
        pthread_attr_init(&attributes)
        pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
        pthread_attr_setstacksize(&attributes, stackBytes)
        var thread = pthread_t()
        let body = Unmanaged.passRetained(Body(run))
        let status = pthread_create(
            &thread, &attributes,
            { argument in
                guard let argument else { return nil }
                Unmanaged<Body>.fromOpaque(argument).takeRetainedValue().run()
                return nil
            }, body.toOpaque())
        pthread_attr_destroy(&attributes)
        if status != 0 { body.release() }
        return status == 0
    }
}

/// A condition variable with its mutex.
///
/// `@unchecked Sendable`: both are made once, never moved, and are made for use by many threads.
package final class ConditionBox: @unchecked Sendable {
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)

    package init() {
        pthread_mutex_init(mutex, nil)
        pthread_cond_init(condition, nil)
    }

    deinit {
        pthread_cond_destroy(condition)
        pthread_mutex_destroy(mutex)
        mutex.deallocate()
        condition.deallocate()
    }

    package func signal() {
        pthread_mutex_lock(mutex)
        pthread_cond_signal(condition)
        pthread_mutex_unlock(mutex)
    }

    package func broadcast() {
        pthread_mutex_lock(mutex)
        pthread_cond_broadcast(condition)
        pthread_mutex_unlock(mutex)
    }

    /// Waits until `ready` holds.
    /// - Parameter seconds: how long at most; nil waits for ever.
    /// - Returns: true when the time was over first.
    package func wait(seconds: Int? = nil, until ready: () -> Bool) -> Bool {
        wait(milliseconds: seconds.map { $0 * 1000 }, until: ready)
    }

    /// The same with milliseconds.
    package func wait(milliseconds: Int?, until ready: () -> Bool) -> Bool {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        var deadline = timespec()
        clock_gettime(CLOCK_REALTIME, &deadline)
        deadline.tv_sec += (milliseconds ?? 0) / 1000
        deadline.tv_nsec += (milliseconds ?? 0) % 1000 * 1_000_000
        if deadline.tv_nsec >= 1_000_000_000 {
            deadline.tv_sec += 1
            deadline.tv_nsec -= 1_000_000_000
        }
        while !ready() {
            if milliseconds == nil {
                pthread_cond_wait(condition, mutex)
            } else if pthread_cond_timedwait(condition, mutex, &deadline) == ETIMEDOUT {
                return !ready()
            }
        }
        return false
    }
}
