package import Store
import Synchronization

/// The events that code from outside may take part in, named as PocketBase names them.
package enum HookName: String, Sendable, CaseIterable {
    case recordsListRequest, recordViewRequest, recordCreateRequest, recordUpdateRequest, recordDeleteRequest
    case recordValidate, recordCreate, recordCreateExecute, recordUpdate, recordUpdateExecute
    case recordDelete, recordDeleteExecute
    case recordAfterCreateSuccess, recordAfterUpdateSuccess, recordAfterDeleteSuccess
    case recordAfterCreateError, recordAfterUpdateError, recordAfterDeleteError
    case recordAuthRequest, recordEnrich

    /// Whether the event happens before a handler's request is carried out, and so on a worker thread.
    package var isRequest: Bool { rawValue.hasSuffix("Request") }
}

/// One event on its way through its handlers. Used by one thread at a time.
package final class HookEvent {
    package let name: HookName
    package let collection: Collection
    package let record: Record?
    package let info: RequestInfo?
    /// The WebServer's request of a request event, opaque here.
    package let request: AnyObject?
    /// The running transaction of a model event.
    package let transaction: Transaction?
    private let handlers: ArraySlice<HookRegistry.Entry>
    private let action: () throws -> Void
    private var position: Int

    init(
        name: HookName, collection: Collection, record: Record?, info: RequestInfo?, request: AnyObject?,
        transaction: Transaction?, handlers: ArraySlice<HookRegistry.Entry>, action: @escaping () throws -> Void
    ) {
        self.name = name
        self.collection = collection
        self.record = record
        self.info = info
        self.request = request
        self.transaction = transaction
        self.handlers = handlers
        self.action = action
        position = handlers.startIndex
    }

    /// Runs the rest of the chain: the next handler, or the action itself after the last.
    package func next() throws {
        guard position < handlers.endIndex else { return try action() }
        let entry = handlers[position]
        position += 1
        defer { position -= 1 }
        try entry.handler(self)
    }
}

/// A handler runs code before and after `event.next()`, or leaves that out to stop the event.
package typealias HookHandler = @Sendable (HookEvent) throws -> Void

/// Who takes part in which event. Filled while plugins load; an event without handlers costs one look-up.
package final class HookRegistry: Sendable {
    struct Entry: Sendable {
        let collections: Set<String>
        let priority: Int
        let handler: HookHandler
    }

    private let entries = Mutex<[HookName: [Entry]]>([:])
    /// Bit set of the events that have any handler, read without the lock.
    private let present = Atomic<UInt64>(0)

    /// What was committed, for those who only want to know.
    package let changes = ChangeBus()
    /// Who keeps files in step with records; nil where there are none.
    var files: FileKeeper? {
        get { keeper.withLock { $0 } }
        set { keeper.withLock { $0 = newValue } }
    }
    private let keeper = Mutex<FileKeeper?>(nil)

    package init() {}

    /// - Parameters:
    ///   - collections: names or ids to which the handler is limited; empty for all.
    ///   - priority: handlers run in ascending order, equal ones as they were added.
    package func add(
        _ name: HookName, collections: [String] = [], priority: Int = 0, _ handler: @escaping HookHandler
    ) {
        entries.withLock { entries in
            var list = entries[name] ?? []
            list.append(
                Entry(collections: Set(collections.map { $0.lowercased() }), priority: priority, handler: handler))
            list.sort { $0.priority < $1.priority }
            entries[name] = list
        }
        present.bitwiseOr(Self.bit(name), ordering: .releasing)
    }

    private static func bit(_ name: HookName) -> UInt64 {
        1 << UInt64(HookName.allCases.firstIndex(of: name) ?? 0)
    }

    private static let modelBits: UInt64 = HookName.allCases.filter { !$0.isRequest }.map(bit).reduce(0, |)

    /// Whether any handler at all takes part in the lives of records (not only in requests).
    package var hasModelHandlers: Bool { present.load(ordering: .acquiring) & Self.modelBits != 0 }

    package func has(_ name: HookName, _ collection: Collection) -> Bool {
        guard present.load(ordering: .acquiring) & Self.bit(name) != 0 else { return false }
        return !handlers(name, collection).isEmpty
    }

    private func handlers(_ name: HookName, _ collection: Collection) -> [Entry] {
        (entries.withLock { $0[name] } ?? []).filter {
            $0.collections.isEmpty || $0.collections.contains(collection.id.lowercased())
                || $0.collections.contains(collection.name.lowercased())
        }
    }

    /// Runs an action with the event's handlers around it.
    package func trigger(
        _ name: HookName, collection: Collection, record: Record? = nil, info: RequestInfo? = nil,
        request: AnyObject? = nil, transaction: Transaction? = nil, action: @escaping () throws -> Void
    ) throws {
        guard present.load(ordering: .acquiring) & Self.bit(name) != 0 else { return try action() }
        let handlers = handlers(name, collection)
        guard !handlers.isEmpty else { return try action() }
        try HookEvent(
            name: name, collection: collection, record: record, info: info, request: request,
            transaction: transaction, handlers: handlers[...], action: action
        ).next()
    }
}
