import Synchronization

/// Plans that were made, found again by what they were made of. Used from any thread.
///
/// Bounded: plans live in two generations, and when the young one is full, the old one, which nobody asked for since,
/// is dropped.
package final class PlanCache: Sendable {
    package struct Key: Hashable, Sendable {
        enum Kind: Hashable, Sendable { case list, one, many, matches, create }
        let schemaVersion: UInt64
        let collectionID: String
        let kind: Kind
        let columns: RecordQuery.Columns
        let rule: String?
        /// Without its texts and numbers.
        let filter: FilterExpression?
        let sort: String
        let allowsHidden: Bool
    }

    package struct Statistics: Sendable, Equatable {
        package var hits: UInt64
        package var misses: UInt64
        /// Keys held now.
        package var count: Int

        package init(hits: UInt64 = 0, misses: UInt64 = 0, count: Int = 0) {
            self.hits = hits
            self.misses = misses
            self.count = count
        }
    }

    private struct State {
        var young: [Key: [SelectPlan]] = [:]
        var old: [Key: [SelectPlan]] = [:]
    }

    /// What the plans have found.
    let found = FoundCache()

    private let state = Mutex(State())
    private let hits = Atomic<UInt64>(0)
    private let misses = Atomic<UInt64>(0)
    private let limit: Int
    /// Plans of one key for different kinds of requests (signed in or not, key given or not, …).
    private static let variantLimit = 16

    /// - Parameter capacity: the number of keys held.
    package init(capacity: Int = 1000) { limit = max(1, capacity / 2) }

    package var statistics: Statistics {
        Statistics(
            hits: hits.load(ordering: .relaxed), misses: misses.load(ordering: .relaxed),
            count: state.withLock { state in state.young.count + state.old.keys.count { state.young[$0] == nil } })
    }

    package func removeAll() {
        state.withLock { state in
            state.young.removeAll()
            state.old.removeAll()
        }
    }

    /// The plan for a key that fits the request, made when there is none.
    func plan(
        _ key: Key, for request: RequestInfo, make: () throws(QueryError) -> SelectPlan
    ) throws(QueryError) -> SelectPlan {
        let variants = state.withLock { state -> [SelectPlan] in
            if let young = state.young[key] { return young }
            guard let old = state.old.removeValue(forKey: key) else { return [] }
            insert(old, for: key, into: &state)
            return old
        }
        if let found = variants.first(where: { $0.fits(request) }) {
            hits.wrappingAdd(1, ordering: .relaxed)
            return found
        }
        let plan = try make()
        misses.wrappingAdd(1, ordering: .relaxed)
        state.withLock { state in
            var variants = state.young[key] ?? []
            if variants.count >= Self.variantLimit { variants.removeFirst() }
            variants.append(plan)
            insert(variants, for: key, into: &state)
        }
        return plan
    }

    private func insert(_ variants: [SelectPlan], for key: Key, into state: inout State) {
        if state.young[key] == nil, state.young.count >= limit {
            state.old = state.young
            state.young = [:]
        }
        state.young[key] = variants
    }
}
