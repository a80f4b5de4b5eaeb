import Glibc
import PluginKit
import Synchronization

/// A few threads of the plugin's own with a bounded queue before them. Threads start when they are needed and end when
/// they were idle for a while.
///
/// `@unchecked Sendable`: the semaphore is made once, never moved, and made for use by many threads.
final class JobQueue: @unchecked Sendable {
    private struct State {
        var jobs: [@Sendable () -> Void] = []
        var head = 0
        var threads = 0
        var idle = 0
        var running = 0
        var isStopped = false

        var waiting: Int { jobs.count - head }
    }

    private let state = Mutex(State())
    private let semaphore = UnsafeMutablePointer<sem_t>.allocate(capacity: 1)
    private let maxThreads: Int
    private let maxWaiting: Int
    private let niceness: Int32

    /// - Parameters:
    ///   - maxWaiting: jobs that may wait for a thread.
    ///   - niceness: by how much the threads give way to others.
    init(maxThreads: Int, maxWaiting: Int, niceness: Int32 = 0) {
        self.maxThreads = maxThreads
        self.maxWaiting = maxWaiting
        self.niceness = niceness
        sem_init(semaphore, 0, 0)
    }

    deinit {
        sem_destroy(semaphore)
        semaphore.deallocate()
    }

    /// - Returns: false when too much is waiting; the job will not run.
    func run(_ job: @escaping @Sendable () -> Void) -> Bool {
        let (isTaken, starts) = state.withLock { state -> (Bool, Bool) in
            guard !state.isStopped, state.waiting < maxWaiting else { return (false, false) }
            state.jobs.append(job)
            guard state.waiting > state.idle, state.threads < maxThreads else { return (true, false) }
            state.threads += 1
            return (true, true)
        }
        if starts { start() }
        if isTaken { sem_post(semaphore) }
        return isTaken
    }

    /// Runs a job and waits for it; nil when too much is waiting.
    func wait<Result: Sendable>(for job: @escaping @Sendable () -> Result) -> Result? {
        let done = Done<Result>()
        guard run({ done.finish(job()) }) else { return nil }
        return done.wait()
    }

    /// Takes no more jobs, forgets those that wait, and gives the running ones a moment to end.
    func stop() {
        state.withLock { state in
            state.isStopped = true
            state.jobs.removeAll()
            state.head = 0
        }
        for _ in 0..<200 where state.withLock({ $0.running > 0 }) { usleep(10_000) }
    }

    private func start() {
        if PluginThread.start(stackBytes: 1 << 20, { self.work() }) { return }
        // The jobs stay for the threads that are there; without any they are refused from now on.
        state.withLock { $0.threads -= 1 }
    }

    private func work() {
        // Of the calling thread alone, on Linux.
        if niceness != 0 { _ = nice(niceness) }
        while true {
            state.withLock { $0.idle += 1 }
            let isPosted = waitAWhile()
            let (job, ends) = state.withLock { state -> ((@Sendable () -> Void)?, Bool) in
                state.idle -= 1
                if isPosted, state.waiting > 0 {
                    let job = state.jobs[state.head]
                    state.head += 1
                    if state.head == state.jobs.count || state.head > 256 {
                        state.jobs.removeFirst(state.head)
                        state.head = 0
                    }
                    state.running += 1
                    return (job, false)
                }
                guard !isPosted, state.waiting == 0 else { return (nil, false) }
                state.threads -= 1
                return (nil, true)
            }
            if ends { return }
            guard let job else { continue }
            job()
            state.withLock { $0.running -= 1 }
        }
    }

    /// - Returns: false when nothing came for ten seconds.
    private func waitAWhile() -> Bool {
        var deadline = timespec()
        clock_gettime(CLOCK_REALTIME, &deadline)
        deadline.tv_sec += 10
        while sem_timedwait(semaphore, &deadline) != 0 {
            if errno != EINTR { return false }
        }
        return true
    }
}

/// A result that one thread makes and another one waits for.
///
/// `@unchecked Sendable`: the semaphore orders the write before the read.
private final class Done<Result: Sendable>: @unchecked Sendable {
    private let semaphore = UnsafeMutablePointer<sem_t>.allocate(capacity: 1)
    private var result: Result?

    init() { sem_init(semaphore, 0, 0) }

    deinit {
        sem_destroy(semaphore)
        semaphore.deallocate()
    }

    func finish(_ result: Result) {
        self.result = result
        sem_post(semaphore)
    }

    func wait() -> Result? {
        while sem_wait(semaphore) != 0, errno == EINTR {}
        return result
    }
}
