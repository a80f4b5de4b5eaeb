internal import Store
import Synchronization

/// One committed change of a record.
package struct RecordChange: Sendable {
    package enum Action: Int, Sendable { case create = 1, update, delete }
    package let action: Action
    package let collectionID: String
    package let recordID: String

    package init(action: Action, collectionID: String, recordID: String) {
        self.action = action
        self.collectionID = collectionID
        self.recordID = recordID
    }
}

/// Tells the parts of this process what was committed: caches let go of what they know, and realtime has something to
/// say. In-process; a second process on the same data would need another bus behind the same interface.
///
/// Beside the bare notices for everyone there is the feed, for who wants the records themselves, and the log, which
/// keeps them for a while. Both cost one look at a flag while nobody uses them.
package final class ChangeBus: Sendable {
    private let listeners = Mutex<[@Sendable (RecordChange) -> Void]>([])
    /// Whether the feed or the log wants anything.
    private let gathers = Atomic<Bool>(false)
    private let parts = Mutex<(feed: ChangeFeed?, log: ChangeLog?)>((nil, nil))

    package init() {}

    /// Adds a listener for good. It is called on the writer's thread right after the commit and must return quickly.
    package func subscribe(_ listener: @escaping @Sendable (RecordChange) -> Void) {
        listeners.withLock { $0.append(listener) }
    }

    private func tell(_ change: RecordChange) {
        for listener in listeners.withLock({ $0 }) { listener(change) }
    }

    /// Who is given the records of changes; nil for nobody.
    package var feed: ChangeFeed? { parts.withLock { $0.feed } }
    package var log: ChangeLog? { parts.withLock { $0.log } }

    package func use(_ feed: ChangeFeed) { parts.withLock { $0.feed = feed } }
    func use(_ log: ChangeLog) { parts.withLock { $0.log = log } }

    /// Looks again whether anything is to be gathered.
    package func refresh() {
        let parts = parts.withLock { $0 }
        gathers.store(parts.feed?.wantsAny ?? false || parts.log?.isKept ?? false, ordering: .releasing)
    }

    /// Arranges that a change is told once its transaction has been committed. The writer's thread.
    ///
    /// - Parameter isCascade: it is deleted because another record was.
    func post(
        _ action: RecordChange.Action, _ record: Record, _ transaction: Transaction, isCascade: Bool = false
    ) throws {
        let change = RecordChange(action: action, collectionID: record.collection.id, recordID: record.id)
        guard gathers.load(ordering: .acquiring) else { return transaction.afterCommit { self.tell(change) } }
        let (feed, log) = parts.withLock { $0 }
        let position = try log?.append(change, record, in: transaction) ?? 0
        guard let feed, feed.wants(change.collectionID) else { return transaction.afterCommit { self.tell(change) } }
        let detailed = DetailedChange(
            change: change, record: Record(collection: record.collection, stored: record.values), position: position,
            snapshot: action == .delete ? feed.snapshot(for: transaction) : nil, isCascade: isCascade)
        transaction.afterCommit {
            self.tell(change)
            feed.add(detailed)
        }
    }
}

/// A change with what it takes to show it to somebody.
package struct DetailedChange: Sendable {
    package let change: RecordChange
    /// As it was committed; of a delete, as it was before. Not to be changed.
    package let record: Record
    /// In the log; 0 when that is not kept.
    package let position: Int64
    /// The data as it was before a delete.
    package let snapshot: DataSnapshot?
    /// Whether the record was deleted because another one was.
    package let isCascade: Bool
}
