import JSON
/// All collections at one moment, found by id or, case-insensitively, by name.
package final class Schema: Sendable {
    /// Ordered as `_collections` returns them (by rowid).
    package let collections: [Collection]
    /// Counts the changes since the process started; part of every plan cache key.
    package let version: UInt64
    /// Whether any rule reads the request's headers or query, which need not be gathered otherwise.
    package let readsHeaders: Bool
    package let readsQuery: Bool
    private let byID: [String: Collection]
    private let byName: [String: Collection]

    package init(collections: [Collection], version: UInt64) {
        self.collections = collections
        self.version = version
        let rules = collections.flatMap { collection -> [String?] in
            let rules = collection.rules
            return [rules.list, rules.view, rules.create, rules.update, rules.delete]
                + [collection.options["manageRule"]?.stringValue, collection.options["authRule"]?.stringValue]
                + [collection.options["mfa"]?["rule"]?.stringValue]
        }
        readsHeaders = rules.contains { $0?.contains("@request.headers") ?? false }
        readsQuery = rules.contains { $0?.contains("@request.query") ?? false }
        byID = Dictionary(collections.map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
        byName = Dictionary(collections.map { ($0.name.lowercased(), $0) }, uniquingKeysWith: { first, _ in first })
    }

    package func collection(id: String) -> Collection? { byID[id] }
    /// PocketBase's look-up: an id exactly, or a name in any case.
    package func collection(_ nameOrID: String) -> Collection? {
        byID[nameOrID] ?? byName[nameOrID] ?? byName[nameOrID.lowercased()]
    }
    package func collection(name: String) -> Collection? { byName[name.lowercased()] }
}
