internal import PluginABI

/// Where a call about one field happens. Valid during that call.
public struct FieldContext {
    let raw: UnsafePointer<roost_field_context>
    /// Not counted: the opened field holds the host, and contexts are made for every call.
    private let unmanagedHost: Unmanaged<Host>

    @inline(__always)
    init(raw: UnsafePointer<roost_field_context>, host: Unmanaged<Host>) {
        self.raw = raw
        unmanagedHost = host
    }

    /// The host that the plugin was given.
    public var host: Host { unmanagedHost.takeUnretainedValue() }

    var call: Call? { raw.pointee.call.map { Call($0, host) } }

    /// The name of the field.
    public var name: String { raw.pointee.name.string }
    /// The id of the field's collection.
    public var collectionID: String { raw.pointee.collection.string }
    /// Whether the record is not stored yet.
    public var isNew: Bool { raw.pointee.is_new == 1 }

    /// The record; without values where there is none (modifiers).
    public func record() throws -> Record {
        guard let call else { throw HostError(status: ROOST_EINVALID) }
        return Record(raw.pointee.record, call)
    }

    /// Records as the running transaction sees them.
    public func records() throws -> Records {
        guard let call else { throw HostError(status: ROOST_EINVALID) }
        return Records(call, raw.pointee.transaction)
    }

    /// Random text that matches a pattern, e.g. `[a-z0-9]{15}`.
    public func random(matching pattern: String) throws -> String {
        guard let call else { throw HostError(status: ROOST_EINVALID) }
        return try call.random(matching: pattern)
    }

    /// Compiles a pattern. For one that is used often, compile it in `init`.
    public func compile(_ pattern: String) throws -> Pattern {
        guard let call else { throw HostError(status: ROOST_EINVALID) }
        return try Pattern(pattern, call)
    }

    /// Sets the field's own value as it is.
    public func set(_ value: Value) throws {
        try record().set(name, value, raw: true)
    }

    /// Looks at the field's own value without copying it; nil when it has none.
    public func withValue<Result>(_ body: (BorrowedValue) throws -> Result) throws -> Result? {
        guard let get = host.recordsTable?.pointee.get else { return nil }
        var out = roost_value()
        guard get(raw.pointee.record, raw.pointee.name, &out) >= 0 else { return nil }
        return try withUnsafePointer(to: out) { try body(BorrowedValue($0)) }
    }

    /// The field's own value as it is stored; nil when the record is new.
    public func original() throws -> Value? { try record().original(name) }

    /// How many of the ids in a value (a text or a list) exist in a collection.
    public func count(_ value: BorrowedValue, in collection: String) throws -> Int {
        value.isJSON
            ? try records().count(idsJSON: value.raw.pointee.bytes, in: collection)
            : try records().count(ids: Cast.uniqueStrings(value), in: collection)
    }
}
