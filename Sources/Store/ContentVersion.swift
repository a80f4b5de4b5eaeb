internal import CSQLite

/// Tells one state of a database's content from the others, whichever process made it: equal versions, equal content.
package struct ContentVersion: Hashable, Sendable {
    private let words: SIMD8<UInt64>

    /// The version that a connection finds committed; nil where it cannot be told, for example while somebody commits.
    fileprivate init?(of handle: OpaquePointer) {
        var words = SIMD8<UInt64>()
        let isKnown = withUnsafeMutablePointer(to: &words) { words in
            words.withMemoryRebound(to: UInt64.self, capacity: 8) { roost_sqlite_log_header(handle, $0) }
        }
        guard isKnown != 0 else { return nil }
        self.words = words
    }
}

extension Connection {
    /// The version of what a statement that begins now sees, or of something older: what such a statement finds may be
    /// kept under it. Nil inside a transaction, which sees what was there when it began and what it changes itself.
    package var contentVersion: ContentVersion? {
        get throws(StoreError) {
            guard sqlite3_txn_state(handle, "main") == SQLITE_TXN_NONE else { return nil }
            // The log's index is mapped by the first statement that reads.
            if !hasRead {
                _ = try scalar("PRAGMA schema_version")
                hasRead = true
                // After a BEGIN, that was what its moment was taken at.
                guard sqlite3_txn_state(handle, "main") == SQLITE_TXN_NONE else { return nil }
            }
            return ContentVersion(of: handle)
        }
    }
}
