import Glibc

/// The clock that durations and deadlines are measured with.
package enum MonotonicClock {
    /// Nanoseconds since some point in the past that never jumps.
    package static func now() -> UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }
}
