import Synchronization

/// Counts requests by rule and client in fixed windows: a window starts with the first request after the last one's end.
///
/// Any thread. A check costs a lock and a few look-ups, and only the lock when limits are off. At most ``capacity``
/// counters are kept; beyond that the oldest windows are forgotten, so a flood of addresses cannot fill the memory.
package final class RateLimiter: Sendable {
    /// Counters kept at most.
    package let capacity: Int

    private struct Key: Hashable {
        let rule: Int
        let scope: String
        let ip: String
    }

    private struct Window {
        var start: Int64
        var left: Int
    }

    private struct State {
        var rules = RateRules()
        var windows: [Key: Window] = [:]
        /// Whether anything was counted since the rules were put into force.
        var isUsed = false
        var onUse: @Sendable (_ isUsed: Bool) -> Void = { _ in }
    }

    private let state: Mutex<State>

    /// - Parameters:
    ///   - settings: the rules to begin with.
    ///   - capacity: counters kept at most.
    package init(_ settings: Settings.RateLimits = .init(), capacity: Int = 100_000) {
        self.capacity = max(2, capacity)
        state = Mutex(State(rules: RateRules(settings)))
    }

    /// Puts other rules into force and forgets all counters, as each save of the settings does in PocketBase.
    package func configure(_ settings: Settings.RateLimits) {
        let rules = RateRules(settings)
        state.withLock { state in
            state = State(rules: rules, onUse: state.onUse)
            state.onUse(false)
        }
    }

    /// Has an action told when there is something to clean up for the first time, and when there no longer is. It is
    /// called with the limiter's lock held.
    package func onUse(_ action: @escaping @Sendable (_ isUsed: Bool) -> Void) { state.withLock { $0.onUse = action } }

    /// Whether limits are on at all.
    package var isEnabled: Bool { state.withLock { $0.rules.isEnabled } }

    /// Counts a request and says whether it may go on. Superusers have no limits: the caller does not ask for them.
    ///
    /// - Parameters:
    ///   - tags: what the route is known by, the most telling first: `posts:create`, then `*:create`; none for routes
    ///     without a collection. The method with the path, and the path, are looked for after them.
    ///   - path: the request's path.
    ///   - method: in capitals.
    ///   - isGuest: whether nobody is signed in.
    ///   - ip: the client's real address.
    ///   - scope: what counts for itself; in PocketBase a collection's routes each do, so it is the collection's id with
    ///     the route's pattern there, and empty elsewhere.
    ///   - seconds: the time on a clock that only goes forward.
    /// - Returns: false when the request is to be answered with 429.
    package func check(
        tags: [String] = [], path: String, method: String, isGuest: Bool, ip: String, scope: String = "",
        seconds: @autoclosure () -> Int64 = Int64(Timestamp.monotonic() / 1_000_000_000)
    ) -> Bool {
        state.withLock { state in
            guard state.rules.isEnabled,
                let index = state.rules.match(tags: tags, path: path, method: method, isGuest: isGuest),
                !ip.isEmpty, !state.rules.excluded.contains(ip)
            else { return true }
            let (duration, requests) = state.rules.amount(index)
            let seconds = seconds()
            let key = Key(rule: index, scope: scope, ip: ip)
            if let place = state.windows.index(forKey: key) {
                // In place: looking it up again would hash the key again.
                let window = state.windows.values[place]
                guard seconds - window.start < duration else {
                    state.windows.values[place] = Window(start: seconds, left: requests - 1)
                    return requests > 0
                }
                if window.left <= 0 { return false }
                state.windows.values[place].left -= 1
                return true
            }
            if state.windows.count >= capacity { Self.shrink(&state, to: capacity / 2, seconds: seconds) }
            state.windows[key] = Window(start: seconds, left: requests - 1)
            if !state.isUsed {
                state.isUsed = true
                state.onUse(true)
            }
            return requests > 0
        }
    }

    /// Forgets windows that are over; for the clock to call now and then.
    package func removeExpired(seconds: Int64 = Int64(Timestamp.monotonic() / 1_000_000_000)) {
        state.withLock { Self.removeExpired(&$0, seconds: seconds) }
    }

    /// Counters kept now.
    package var count: Int { state.withLock { $0.windows.count } }

    private static func removeExpired(_ state: inout State, seconds: Int64) {
        let rules = state.rules.rules
        // A dictionary never gives memory back while entries are only removed.
        state.windows = state.windows.filter { seconds - $0.value.start < Int64(rules[$0.key.rule].duration) }
    }

    /// Makes room for many at once, so that a full table costs little for each request.
    private static func shrink(_ state: inout State, to limit: Int, seconds: Int64) {
        removeExpired(&state, seconds: seconds)
        guard state.windows.count > limit else { return }
        let starts = state.windows.values.map(\.start).sorted()
        let oldest = starts[starts.count - limit]
        var room = limit
        state.windows = state.windows.filter {
            guard $0.value.start >= oldest, room > 0 else { return false }
            room -= 1
            return true
        }
    }
}
