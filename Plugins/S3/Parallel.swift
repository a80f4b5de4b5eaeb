import CCurl
import Glibc
import Synchronization

/// Runs numbered jobs on a few threads.
final class Parallel: Sendable {
    private struct State {
        var next = 0
        var error: (any Error)?
    }

    private let state = Mutex(State())
    private let count: Int
    private let job: @Sendable (Int) throws -> Void

    private init(_ count: Int, _ job: @escaping @Sendable (Int) throws -> Void) {
        self.count = count
        self.job = job
    }

    /// Runs jobs and waits for all that began.
    ///
    /// - Parameter threads: how many run at the same time at most, the caller's among them.
    /// - Throws: the first error; no further job begins after one.
    static func run(_ count: Int, threads: Int, _ job: @escaping @Sendable (Int) throws -> Void) throws {
        let parallel = Parallel(count, job)
        var others: [pthread_t] = []
        for _ in 0..<max(min(count, threads) - 1, 0) {
            var attributes = pthread_attr_t()
            pthread_attr_init(&attributes)
            pthread_attr_setstacksize(&attributes, 512 << 10)
            var thread = pthread_t()
            let me = Unmanaged.passRetained(parallel)
            let status = pthread_create(
                &thread, &attributes,
                { argument in
                    guard let argument else { return nil }
                    Unmanaged<Parallel>.fromOpaque(argument).takeRetainedValue().work()
                    return nil
                }, me.toOpaque())
            pthread_attr_destroy(&attributes)
            // With fewer threads it only takes longer.
            if status == 0 { others.append(thread) } else { me.release() }
        }
        parallel.work()
        for thread in others { pthread_join(thread, nil) }
        if let error = parallel.state.withLock({ $0.error }) { throw error }
    }

    private func work() {
        while true {
            let number = state.withLock { state -> Int? in
                guard state.error == nil, state.next < count else { return nil }
                defer { state.next += 1 }
                return state.next
            }
            guard let number else { return }
            do { try job(number) } catch { state.withLock { if $0.error == nil { $0.error = error } } }
        }
    }
}
