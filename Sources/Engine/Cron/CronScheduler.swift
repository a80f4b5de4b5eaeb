package import JSON
import Synchronization

/// Runs jobs by the clock, in UTC, each on a thread of its own.
///
/// A job that is still running when it is due again is left to finish, and that time is skipped. One that fails is
/// logged and runs again at its next time.
package final class CronScheduler: Sendable {
    private struct State {
        var jobs: [CronJob] = []
        var running: Set<String> = []
        var isStarted = false
        var isStopped = false
    }

    private let state = Mutex(State())
    private let wakeup = ConditionBox()
    package typealias Log = @Sendable (LogEntry.Level, _ message: String, _ data: JSONObject) -> Void

    private let log: Log
    /// The wall clock, in seconds since 1970.
    private let now: @Sendable () -> Int64

    package init(now: @escaping @Sendable () -> Int64 = { Timestamp.unixSeconds() }, log: @escaping Log) {
        self.now = now
        self.log = log
    }

    // MARK: - Jobs

    /// All jobs in the order they were added.
    package var jobs: [CronJob] { state.withLock { $0.jobs } }

    /// Adds a job, or puts it in the place of the same owner's job of that id.
    /// - Returns: false when another owner has a job of that id; then nothing has changed.
    @discardableResult
    package func add(_ job: CronJob) -> Bool {
        state.withLock { state in
            if state.jobs.contains(where: { $0.id == job.id && $0.owner != job.owner }) { return false }
            state.jobs.removeAll { $0.id == job.id }
            state.jobs.append(job)
            return true
        }
    }

    /// Removes a job; one that is running finishes.
    /// - Returns: whether there was one.
    @discardableResult
    package func remove(_ id: String) -> Bool {
        state.withLock { state in
            let count = state.jobs.count
            state.jobs.removeAll { $0.id == id }
            return state.jobs.count < count
        }
    }

    /// Removes all jobs of a plugin.
    package func removeAll(of owner: String) { state.withLock { $0.jobs.removeAll { $0.owner == owner } } }

    /// Runs a job now, whatever its schedule says; does not wait for it.
    /// - Returns: false when there is none of that id.
    package func run(_ id: String) -> Bool {
        guard let job = state.withLock({ $0.jobs.first { $0.id == id } }) else { return false }
        start(job)
        return true
    }

    private func start(_ job: CronJob) {
        enum Decision { case run, overlap, stopped }
        let decision: Decision = state.withLock { state in
            if state.isStopped { return .stopped }
            return state.running.insert(job.id).inserted ? .run : .overlap
        }
        switch decision {
        case .stopped: return
        case .overlap:
            log(.warn, "A cron job was skipped: it is still running.", ["job": .string(job.id)])
        case .run:
            let isStarted = SystemThread.start { [self] in
                do {
                    try job.run()
                } catch {
                    log(.error, "A cron job failed.", ["job": .string(job.id), "error": .string("\(error)")])
                }
                ended(job)
            }
            if isStarted { return }
            log(.error, "A cron job was skipped: the system has no thread left.", ["job": .string(job.id)])
            ended(job)
        }
    }

    private func ended(_ job: CronJob) {
        state.withLock { _ = $0.running.remove(job.id) }
        wakeup.broadcast()
    }

    // MARK: - The clock

    /// Begins to run jobs at their times. Once is enough.
    package func start() {
        let starts = state.withLock { state in
            defer { state.isStarted = true }
            return !state.isStarted && !state.isStopped
        }
        guard starts else { return }
        if !SystemThread.start({ [self] in watch() }) {
            log(.error, "No cron job will run by the clock: the system has no thread left.", JSONObject())
        }
    }

    /// Starts no more jobs and waits for those that run.
    /// - Parameter seconds: how long to wait at most.
    package func stop(seconds: Int = 10) {
        state.withLock { $0.isStopped = true }
        wakeup.broadcast()
        _ = wakeup.wait(seconds: seconds) { state.withLock { $0.running.isEmpty } }
    }

    private func watch() {
        var clock = CronClock(minute: now() / 60)
        while !state.withLock({ $0.isStopped }) {
            // At most ten seconds: a clock that is set must not be noticed a minute late.
            let seconds = min(10, 60 - now() % 60)
            _ = wakeup.wait(seconds: Int(seconds)) { state.withLock { $0.isStopped } }
            guard let minutes = clock.advance(to: now() / 60) else { continue }
            runDue(minutes)
        }
    }

    /// Starts each job that is due in one of the minutes, once.
    func runDue(_ minutes: ClosedRange<Int64>) {
        for job in jobs where minutes.contains(where: job.schedule.isDue(inMinute:)) { start(job) }
    }
}
