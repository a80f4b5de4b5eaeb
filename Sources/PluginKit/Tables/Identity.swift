internal import PluginABI

/// Tells who a request comes from. Called on event loops: must not wait for anything.
public protocol IdentityProvider: AnyObject, Sendable {
    /// Whose token it says it is, or nil for one that is none. The token is not trusted yet.
    func claims(of token: String) -> (collection: String, recordID: String)?

    /// Checks the token against its record.
    ///
    /// - Parameter collection: the record's collection with its secrets, as JSON; it is the same text until the
    ///   collection changes, so that what is read of it can be kept.
    /// - Returns: the second (Unix time) from which the token no longer counts, or nil when it does not count at all.
    func verify(_ token: String, record: Record, collection: UnsafeBufferPointer<UInt8>) -> Int64?
}

extension Host {
    /// Makes the plugin the one that knows who requests come from. Needs the capability "identity".
    ///
    /// - Throws: ``HostError`` when there is a provider already.
    public func provideIdentity(_ provider: any IdentityProvider) throws {
        guard let table = table(ROOST_TABLE_IDENTITY)?.assumingMemoryBound(to: roost_identity_v1.self) else {
            throw HostError.denied(ROOST_TABLE_IDENTITY)
        }
        // The host keeps both for the life of the process.
        let box = Unmanaged.passRetained(IdentityBox(self, provider))
        let raw = UnsafeMutablePointer<roost_identity_provider_v1>.allocate(capacity: 1)
        var value = roost_identity_provider_v1()
        value.user = box.toOpaque()
        value.claims = { user, raw, token, collection, recordID in
            guard let user, let raw, let collection, let recordID else { return ROOST_EINVALID }
            let box = Unmanaged<IdentityBox>.fromOpaque(user).takeUnretainedValue()
            guard let claims = box.provider.claims(of: token.string) else { return ROOST_ENOTFOUND }
            let call = Call(raw, box.host)
            guard let first = call.scratch(claims.collection), let second = call.scratch(claims.recordID) else {
                return ROOST_ENOMEM
            }
            collection.pointee = first
            recordID.pointee = second
            return ROOST_OK
        }
        value.verify = { user, raw, token, record, collection, expires in
            guard let user, let raw, let expires else { return ROOST_EINVALID }
            let box = Unmanaged<IdentityBox>.fromOpaque(user).takeUnretainedValue()
            let record = Record(record, Call(raw, box.host))
            guard let end = box.provider.verify(token.string, record: record, collection: collection.buffer) else {
                return ROOST_ENOTFOUND
            }
            expires.pointee = end
            return ROOST_OK
        }
        raw.initialize(to: value)
        try check(table.pointee.provide?(self.raw, raw))
    }
}

private final class IdentityBox: Sendable {
    let host: Host
    let provider: any IdentityProvider

    init(_ host: Host, _ provider: any IdentityProvider) {
        self.host = host
        self.provider = provider
    }
}
