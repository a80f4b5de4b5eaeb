import Engine
import Synchronization

/// Searches that find nothing, counted for each client and collection. Whoever sends many of them where a rule hides records
/// may be measuring which of two empty lists took longer: from the fourth in three seconds on, answers wait for a random
/// time, as in PocketBase.
final class EmptyLists: Sendable {
    private static let (most, window, longest) = (3, UInt64(3_000_000_000), 500)
    /// Clients that are remembered.
    private static let capacity = 10_000

    private struct Entry {
        var count = 0
        var end: UInt64
    }

    private let entries = Mutex<[String: Entry]>([:])

    /// Counts one.
    /// - Returns: for how many milliseconds its answer waits.
    func delay(collection: String, client: String) -> Int {
        let now = Timestamp.monotonic()
        let count = entries.withLock { entries -> Int in
            if entries.count >= Self.capacity { entries = entries.filter { $0.value.end > now } }
            if entries.count >= Self.capacity { entries.removeAll() }
            let key = collection + " " + client
            var entry = entries[key] ?? Entry(end: 0)
            if entry.end <= now { entry = Entry(end: now + Self.window) }
            entry.count += 1
            entries[key] = entry
            return entry.count
        }
        return count > Self.most ? Int.random(in: 0...Self.longest) : 0
    }
}
