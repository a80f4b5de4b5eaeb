import Synchronization

/// One committed change of a record.
package struct RecordChange: Sendable {
    package enum Action: Sendable { case create, update, delete }
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
package final class ChangeBus: Sendable {
    private let listeners = Mutex<[@Sendable (RecordChange) -> Void]>([])

    package init() {}

    /// Adds a listener for good. It is called on the writer's thread right after the commit and must return quickly.
    package func subscribe(_ listener: @escaping @Sendable (RecordChange) -> Void) {
        listeners.withLock { $0.append(listener) }
    }

    package func post(_ change: RecordChange) {
        for listener in listeners.withLock({ $0 }) { listener(change) }
    }
}
