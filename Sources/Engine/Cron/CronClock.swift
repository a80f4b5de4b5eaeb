/// Decides which minutes are due as the wall clock moves, also when it jumps.
///
/// A minute comes once. A clock that was set back by less than an hour repeats nothing: jobs wait until it has caught up.
/// After a larger step back the new time counts. A clock that jumps ahead, or a machine that slept, gets the minutes it
/// missed if they are few, so that a nightly job is not lost to two seconds of correction; after more only the present
/// minute counts.
struct CronClock: Sendable {
    /// Missed minutes that are made up for.
    static let catchesUp: Int64 = 5
    /// Minutes back that are taken for a correction.
    static let correction: Int64 = 60

    /// The last minute that was due, counted from 1970.
    private(set) var last: Int64

    /// - Parameter minute: the present one, which is not due any more.
    init(minute: Int64) { last = minute }

    /// The minutes that are due now, oldest first.
    mutating func advance(to minute: Int64) -> ClosedRange<Int64>? {
        if minute <= last {
            // Far behind: the old time was the wrong one. The present minute has begun already and is left out.
            if last - minute >= Self.correction { last = minute }
            return nil
        }
        let first = minute - last <= Self.catchesUp ? last + 1 : minute
        last = minute
        return first...minute
    }
}
