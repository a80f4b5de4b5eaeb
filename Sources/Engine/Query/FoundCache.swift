import Store
import Synchronization

/// What queries have found, as long as nothing is written: how many records a list has on all its pages, and, where all of
/// them had to be sorted for it, which are on a page. Who turns the pages of a list, or shows one list to everybody, has them
/// counted and sorted once. Used from any thread.
package final class FoundCache: Sendable {
    /// What was asked. The values are those of the signed-in client too, where the rule asks for them.
    struct Key: Hashable, Sendable {
        let sql: String
        let values: [SQLValue]
    }

    private struct State {
        /// The one version that all numbers are of.
        var version: ContentVersion?
        var totals: [Key: Int] = [:]
        var pages: [Key: [Int64]] = [:]
        /// About what they take.
        var bytes = 0
    }

    private let state = Mutex(State())
    private static let limit = 2 << 20
    /// Bytes of one query's texts. A client may send long ones.
    private static let keyLimit = 8192

    /// The number of records that was kept for a query at a version of the content.
    func total(of key: Key, at version: ContentVersion) -> Int? {
        state.withLock { $0.version == version ? $0.totals[key] : nil }
    }

    /// The row numbers of a page's records, in their order.
    func rows(of key: Key, at version: ContentVersion) -> [Int64]? {
        state.withLock { $0.version == version ? $0.pages[key] : nil }
    }

    /// Keeps a number that was counted at a version or later.
    func keep(_ total: Int, of key: Key, at version: ContentVersion) {
        keep(key, 8, at: version) { $0.totals[key] = total }
    }

    /// Keeps a page that was read at a version or later.
    func keep(_ rows: [Int64], of key: Key, at version: ContentVersion) {
        keep(key, 8 * rows.count, at: version) { $0.pages[key] = rows }
    }

    private func keep(_ key: Key, _ bytes: Int, at version: ContentVersion, _ insert: (inout State) -> Void) {
        guard key.size <= Self.keyLimit else { return }
        let bytes = bytes + key.size + 100
        state.withLock { state in
            if state.version != version || state.bytes + bytes > Self.limit {
                state.totals.removeAll(keepingCapacity: state.totals.count < 1000)
                state.pages.removeAll(keepingCapacity: state.pages.count < 1000)
                state.bytes = 0
                state.version = version
            }
            state.bytes += bytes
            insert(&state)
        }
    }
}

extension FoundCache.Key {
    fileprivate var size: Int {
        values.reduce(sql.utf8.count) { size, value in
            switch value {
            case .null, .integer, .real: size + 8
            case .text(let text): size + 8 + text.utf8.count
            case .blob(let bytes): size + 8 + bytes.count
            }
        }
    }
}

extension SQLText {
    /// Whether a query finds the same at any time, as long as nothing is written. In doubt it does not.
    func isSteady(in schema: Schema) -> Bool {
        let tellsTime = parameters.contains {
            if case .macro(let macro, _) = $0 { macro.isOfTheMoment } else { false }
        }
        // The modifiers of a time may say "now".
        guard !tellsTime, !text.contains("strftime("), !text.contains(SQLiteDialect.random) else { return false }
        // What a view asks is not known to the end: it may look into views that are no collections.
        return !schema.collections.contains { $0.isView && text.contains($0.name) }
    }
}
