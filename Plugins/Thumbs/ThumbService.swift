import Glibc
import PluginKit

/// Hands orders to a few helper processes, each led by a thread of its own. Both are started for the first thumb and end
/// when nothing was to do for a while.
///
/// `@unchecked Sendable`: `state` is guarded by `lock`; the rest is constant.
final class ThumbService: ThumbMaker, @unchecked Sendable {
    private struct Job {
        var order: ThumbOrder
        var deadline: Int
        var done: @Sendable (String?) -> Void
    }

    private struct State {
        var waiting: [Job] = []
        var threads = 0
        var idle = 0
        var isStopped = false
    }

    private static let maxWaiting = 2000
    /// Seconds without an order after which a helper ends.
    private static let idleTime = 30

    private let lock = Lock()
    private var state = State()
    private let settings: ThumbSettings
    private let log: Log

    init(_ settings: ThumbSettings, log: Log) {
        self.settings = settings
        self.log = log
    }

    func make(_ order: ThumbOrder, done: @escaping @Sendable (String?) -> Void) {
        enum Next { case queued, start, refused(String) }
        let next: Next = lock.with {
            if state.isStopped { return .refused("the server is ending") }
            guard state.waiting.count < Self.maxWaiting else { return .refused("too many thumbs are waiting") }
            state.waiting.append(Job(order: order, deadline: Self.now() + settings.maxWait, done: done))
            if state.idle >= state.waiting.count || state.threads >= settings.processes { return .queued }
            state.threads += 1
            return .start
        }
        switch next {
        case .queued: lock.signal()
        case .start: startThread()
        case .refused(let reason): done(reason)
        }
    }

    /// Refuses what waits and lets the helpers end.
    func stop() {
        let refused = lock.with {
            state.isStopped = true
            defer { state.waiting = [] }
            return state.waiting
        }
        for job in refused { job.done("the server is ending") }
        lock.broadcast()
    }

    private static func now() -> Int {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return time.tv_sec
    }

    private func startThread() {
        if PluginThread.start({ self.work() }) { return }
        let refused = lock.with {
            state.threads -= 1
            defer { if state.threads == 0 { state.waiting = [] } }
            return state.threads == 0 ? state.waiting : []
        }
        for job in refused { job.done("there is no thread for it") }
    }

    /// The next order; nil ends the thread.
    private func take() -> Job? {
        lock.with {
            state.idle += 1
            lock.wait(seconds: Self.idleTime) { !state.waiting.isEmpty || state.isStopped }
            state.idle -= 1
            if state.waiting.isEmpty || state.isStopped {
                state.threads -= 1
                return nil
            }
            return state.waiting.removeFirst()
        }
    }

    private func work() {
        var helper: ThumbHelper?
        while let job = take() {
            guard Self.now() <= job.deadline else {
                job.done("its turn did not come in time")
                continue
            }
            do throws(ThumbHelper.Failure) {
                let running: ThumbHelper
                if let helper { running = helper } else { running = try ThumbHelper(settings) }
                helper = running
                job.done(try running.make(job.order))
            } catch {
                // It has gone, or must go: what it was at may have spoiled it.
                helper = nil
                log.warn("A helper for thumbs ended", ["reason": .string(error.reason)])
                job.done(error.reason)
            }
        }
    }
}

/// A mutex with a condition.
///
/// `@unchecked Sendable`: both are made once, never moved, and are made for use by many threads.
private final class Lock: @unchecked Sendable {
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)

    init() {
        pthread_mutex_init(mutex, nil)
        pthread_cond_init(condition, nil)
    }

    deinit {
        pthread_cond_destroy(condition)
        pthread_mutex_destroy(mutex)
        mutex.deallocate()
        condition.deallocate()
    }

    func with<R>(_ body: () -> R) -> R {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return body()
    }

    func signal() { pthread_cond_signal(condition) }
    func broadcast() { pthread_cond_broadcast(condition) }

    /// Waits until something holds or the time is over; only inside of `with`.
    func wait(seconds: Int, until ready: () -> Bool) {
        var deadline = timespec()
        clock_gettime(CLOCK_REALTIME, &deadline)
        deadline.tv_sec += seconds
        while !ready() {
            if pthread_cond_timedwait(condition, mutex, &deadline) == ETIMEDOUT { return }
        }
    }
}
