internal import PluginABI

/// A field type that says how its values are compared, sorted, counted and cast in filters, sorts and rules
/// (`roost/field_query.h`). Register it with ``Host/queriedFieldType(_:)``.
///
///     extension Version: QueriedFieldType {
///         static let keyUses: KeyUses = .order
///         func key(of value: BorrowedValue) -> Value { … }
///     }
///
/// All functions are called from any thread, `key` and `count` for each row that is looked at, and must give the same
/// for the same value.
public protocol QueriedFieldType: FieldType {
    /// What is compared by keys instead of the stored values. No index helps then.
    static var keyUses: KeyUses { get }
    /// Whether ``count(of:)`` is what `:length` means.
    static var counts: Bool { get }

    /// Turns what a filter compares the field with (a text or a number) into the stored form. Throw any error for what
    /// makes no sense: a request that wrote it gets a 400.
    func cast(_ value: BorrowedValue) throws -> Normalised

    /// What a stored value is compared by: a number or a text; null for what has no place in the order.
    func key(of value: BorrowedValue) -> Value

    func count(of value: BorrowedValue) -> Int
}

extension QueriedFieldType {
    public static var keyUses: KeyUses { [] }
    public static var counts: Bool { false }
    public func cast(_ value: BorrowedValue) throws -> Normalised { .unchanged }
    public func key(of value: BorrowedValue) -> Value { value.value }
    public func count(of value: BorrowedValue) -> Int { 0 }
}

/// What keys are used for.
public struct KeyUses: OptionSet, Sendable {
    public let rawValue: UInt32
    public init(rawValue: UInt32) { self.rawValue = rawValue }

    /// `<`, `<=`, `>`, `>=` and sorts.
    public static let order = KeyUses(rawValue: ROOST_KEY_ORDER)
    /// `=` and `!=`.
    public static let equality = KeyUses(rawValue: ROOST_KEY_EQUALITY)
}

extension Host {
    /// Registers a kind of field that has a say in queries. On a host that does not know of that it is compared by its
    /// column; require `roost.field-query/1` in `plugin.json` if that will not do.
    ///
    /// - Throws: ``HostError`` when another plugin brought that type.
    public func queriedFieldType(_ type: any QueriedFieldType.Type) throws {
        try fieldType(type)
        guard let table = table(ROOST_TABLE_FIELD_QUERY)?.assumingMemoryBound(to: roost_field_queries_v1.self) else {
            return
        }
        // The host keeps a copy.
        var query = roost_field_query_v1()
        query.type = .keepingForever(type.id)
        query.key_uses = type.keyUses.rawValue
        query.cast = { opened, context, value, out in
            ask(opened, value, out) { field, opened, value, out in
                guard let result = try? field.cast(value) else { return ROOST_EFAILED }
                switch result {
                case .unchanged: return ROOST_UNCHANGED
                case .changed(let value): return opened.hand(value, context, out)
                }
            }
        }
        if !type.keyUses.isEmpty {
            query.key = { opened, context, value, out in
                ask(opened, value, out) { field, opened, value, out in opened.hand(field.key(of: value), context, out) }
            }
        }
        if type.counts {
            query.count = { opened, _, value, out in
                ask(opened, value, out) { field, _, value, out in
                    out.pointee = Int64(field.count(of: value))
                    return ROOST_OK
                }
            }
        }
        try check(table.pointee.add?(raw, &query))
    }
}

/// Asks an opened field about a value.
private func ask<Result>(
    _ opened: UnsafeMutableRawPointer?, _ value: UnsafePointer<roost_value>?, _ out: UnsafeMutablePointer<Result>?,
    _ body: (any QueriedFieldType, OpenedField, BorrowedValue, UnsafeMutablePointer<Result>) -> roost_status
) -> roost_status {
    guard let opened, let value, let out else { return ROOST_EINVALID }
    return Unmanaged<OpenedField>.fromOpaque(opened)._withUnsafeGuaranteedRef { opened in
        guard let field = opened.field as? any QueriedFieldType else { return ROOST_EUNSUPPORTED }
        return body(field, opened, BorrowedValue(value), out)
    }
}
