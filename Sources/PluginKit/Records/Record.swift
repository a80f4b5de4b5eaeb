internal import PluginABI

/// A record in the host's hands. Valid until the call that it came from ends; used later it has no values and refuses
/// to be changed.
public struct Record {
    let raw: roost_record
    let call: Call

    init(_ raw: roost_record, _ call: Call) {
        self.raw = raw
        self.call = call
    }

    private var table: UnsafePointer<roost_records_v1>? { call.host.recordsTable }

    /// The value of a field; also of `collectionId`, `collectionName`, and of keys of the request's body that are no
    /// fields, as `extra:name`. `.null` when there is no such thing.
    public subscript(name: String) -> Value { self.get(name) ?? .null }

    /// The value of a field; nil when the record has no such field.
    public func get(_ name: String) -> Value? {
        withValue(name) { $0.value }
    }

    /// Looks at a value without copying it; nil when the record has no such field.
    public func withValue<Result>(_ name: String, _ body: (BorrowedValue) throws -> Result) rethrows -> Result? {
        var out = roost_value()
        guard let status = name.withRoostBytes({ table?.pointee.get?(raw, $0, &out) }), status >= 0 else { return nil }
        return try withUnsafePointer(to: out) { try body(BorrowedValue($0)) }
    }

    /// The value as it is stored; nil when the record is new.
    public func original(_ name: String) -> Value? {
        var out = roost_value()
        guard let status = name.withRoostBytes({ table?.pointee.get_original?(raw, $0, &out) }), status >= 0 else {
            return nil
        }
        return Value(out)
    }

    /// Sets a value, normalised by the field's type.
    ///
    /// - Parameter raw: true skips that, for a field type that sets its own value.
    public func set(_ name: String, _ value: Value, raw isRaw: Bool = false) throws {
        try check(
            name.withRoostBytes { name in
                value.withRoostValue { table?.pointee.set?(raw, name, $0, isRaw ? 1 : 0) }
            })
    }

    /// Whether the record is not stored yet.
    public var isNew: Bool { table?.pointee.is_new?(raw) == 1 }

    public var id: String { text("id") }
    public var collectionID: String { text("collectionId") }
    public var collectionName: String { text("collectionName") }

    /// The text of a text field; of everything else what PocketBase makes a text of it.
    public func text(_ name: String) -> String { withValue(name) { Cast.text($0) } ?? "" }
    public func number(_ name: String) -> Double { withValue(name) { Cast.number($0) } ?? 0 }
    public func bool(_ name: String) -> Bool { withValue(name) { Cast.bool($0) } ?? false }
    public func strings(_ name: String) -> [String] { withValue(name) { Cast.uniqueStrings($0) } ?? [] }
    public func json(_ name: String) -> JSON { get(name)?.asJSON ?? .null }

    /// Who a record is shown to.
    public enum Audience: UInt32, Sendable {
        /// Everybody: no hidden fields, the e-mail address by its visibility.
        case everyone = 0
        /// Its owner: the e-mail address too.
        case owner = 1
        /// A superuser.
        case superuser = 2
    }

    /// The record as JSON text.
    ///
    /// - Parameters:
    ///   - expand: relations to put in, as the query parameter has it.
    ///   - fields: what to leave in, as the query parameter has it.
    public func export(for audience: Audience = .everyone, expand: String = "", fields: String = "") throws -> String {
        var out = roost_bytes()
        try check(
            expand.withRoostBytes { expand in
                fields.withRoostBytes { fields in
                    table?.pointee.export_json?(call.raw, raw, audience.rawValue, expand, fields, &out)
                }
            })
        return out.string
    }
}
