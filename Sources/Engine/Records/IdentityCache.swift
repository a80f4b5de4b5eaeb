import JSON
import Store
import Synchronization

/// Tells whose a token is. Made by the plugin that knows how tokens are signed; called on event loops.
package protocol TokenAuthority: Sendable {
    /// Whose the token says it is, unproven. Nil for what is no token.
    func claims(_ token: String) -> (collectionID: String, recordID: String)?
    /// Checks a token against its record.
    /// - Returns: the Unix second from which it no longer counts, or nil when it does not count at all.
    func verify(_ token: String, record: Record) -> Int64?
}

/// Remembers which record a token belongs to, so that a request with a known token costs a look-up.
///
/// An entry ends when its token expires, when its record is written or deleted, and when any collection changes.
package final class IdentityCache: Sendable {
    private struct Entry {
        var record: Record
        var expires: Int64
        var schemaVersion: UInt64
    }

    private struct State {
        var entries: [String: Entry] = [:]
        /// The tokens of a record, so that a change of it finds them.
        var tokens: [String: Set<String>] = [:]
        /// Counts the changes; a record that was read before one is not kept after it.
        var generation: UInt64 = 0
    }

    private static let capacity = 20_000
    private let state = Mutex(State())
    private let engine: Engine
    private let provider: Mutex<(any TokenAuthority)?>

    package init(engine: Engine) {
        self.engine = engine
        provider = Mutex(nil)
        engine.hooks.changes.subscribe { [weak self] change in self?.forget(change.recordID) }
        engine.onOtherWriter { [weak self] in self?.forgetAll() }
    }

    package func use(_ provider: any TokenAuthority) { self.provider.withLock { $0 = provider } }

    /// The record of a token, or nil for a token that does not count. Event loop; one read by id at most.
    package func record(of token: String) -> Record? {
        let schema = engine.schema
        let now = Timestamp.unixSeconds()
        let (known, generation) = state.withLock { state -> (Record?, UInt64) in
            guard let entry = state.entries[token] else { return (nil, state.generation) }
            if entry.expires > now && entry.schemaVersion == schema.version { return (entry.record, state.generation) }
            Self.remove(token, entry, &state)
            return (nil, state.generation)
        }
        if let known { return known }
        guard let provider = provider.withLock({ $0 }), let claims = provider.claims(token),
            let collection = schema.collection(claims.collectionID), collection.isAuth,
            let record = try? engine.data.read({ try $0.record(id: claims.recordID, in: collection) }),
            let expires = provider.verify(token, record: record), expires > now
        else { return nil }
        state.withLock { state in
            guard state.generation == generation else { return }
            if state.entries.count >= Self.capacity {
                state.entries.removeAll(keepingCapacity: true)
                state.tokens.removeAll(keepingCapacity: true)
            }
            state.entries[token] = Entry(record: record, expires: expires, schemaVersion: schema.version)
            state.tokens[record.id, default: []].insert(token)
        }
        return record
    }

    private static func remove(_ token: String, _ entry: Entry, _ state: inout State) {
        state.entries[token] = nil
        state.tokens[entry.record.id]?.remove(token)
        if state.tokens[entry.record.id]?.isEmpty ?? false { state.tokens[entry.record.id] = nil }
    }

    /// Lets go of all tokens of a record.
    package func forget(_ recordID: String) {
        state.withLock { state in
            state.generation &+= 1
            for token in state.tokens.removeValue(forKey: recordID) ?? [] { state.entries[token] = nil }
        }
    }

    /// Lets go of everything: another process wrote.
    package func forgetAll() {
        state.withLock { state in
            state.generation &+= 1
            state.entries.removeAll()
            state.tokens.removeAll()
        }
    }
}
