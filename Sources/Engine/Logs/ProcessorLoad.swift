import Glibc
import Store

/// Tells whether the process has something else to do than to write its log.
///
/// That it is asked after the fact, and not left to the scheduler (`SCHED_IDLE`), has two reasons: what runs when a
/// request leaves a processor free for a moment still costs its time and its caches; and a thread that has given up its
/// claim cannot take it back without privileges, though somebody may come to wait for it.
struct ProcessorLoad {
    /// Processors that everything else in the process may use without being held up, and nanoseconds over which they are
    /// counted at least.
    private static let share = 0.25
    private static let window: UInt64 = 100_000_000

    private(set) var isBusy = true
    private var measured = Timestamp.monotonic()
    private var used: UInt64 = 0
    private let database: Database

    /// - Parameter database: the one whose writer does the work that does not count.
    init(without database: Database) {
        self.database = database
        used = otherTime
    }

    private var otherTime: UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        let all = UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
        return all - min(all, database.writerTime)
    }

    /// Looks again when the time has come. To be called again and again while there is something to decide.
    mutating func update() {
        let now = Timestamp.monotonic()
        guard now - measured >= Self.window else { return }
        let time = otherTime
        // What was a while ago says nothing about now: only then it is looked at.
        let isOld = now - measured > 3 * Self.window
        isBusy = isOld || Double(max(time, used) - used) > Double(now - measured) * Self.share
        (measured, used) = (now, time)
    }
}
