package import Store
import Synchronization

/// How the values of one field are compared, sorted, counted and cast in queries, where its type has a say in that
/// (`roost.field-query/1`). Called from any thread, for many rows of one statement.
package protocol FieldQuery: AnyObject, Sendable {
    /// What the functions of SQL know the field by; see ``FieldQueries``.
    var queryID: Int { get }
    /// What is compared by keys instead of stored values.
    var keyUses: FieldKeyUses { get }
    /// Whether ``cast(_:)`` does anything.
    var casts: Bool { get }
    /// Whether ``count(of:)`` is what `:length` means.
    var counts: Bool { get }

    /// What the field is compared with, in the stored form. Throws when it makes no sense for the type.
    func cast(_ value: Value) throws -> Value
    /// What a stored value is compared by; null when it has no place in the order.
    func key(of value: Value) -> Value
    func count(of value: Value) -> Int
}

/// What keys are used for; the values are those of the ABI (`ROOST_KEY_…`).
package struct FieldKeyUses: OptionSet, Sendable {
    package let rawValue: UInt32
    package init(rawValue: UInt32) { self.rawValue = rawValue }

    /// `<`, `<=`, `>`, `>=` and sorts.
    package static let order = FieldKeyUses(rawValue: 1)
    /// `=` and `!=`.
    package static let equality = FieldKeyUses(rawValue: 2)
    package static let all: FieldKeyUses = [.order, .equality]
}

/// The fields whose types take part in queries, by the numbers that SQL knows them by. Whoever runs a statement that
/// names one keeps the field meanwhile; the plan of a query does.
package enum FieldQueries {
    private struct Reference: Sendable { weak var field: (any FieldQuery)? }
    private static let fields = Mutex<[Int: Reference]>([:])
    private static let lastID = Atomic<Int>(0)

    /// A number that no other field of this process has.
    package static func newID() -> Int { lastID.add(1, ordering: .relaxed).newValue }

    package static func insert(_ field: any FieldQuery) {
        fields.withLock { $0[field.queryID] = Reference(field: field) }
    }

    package static func remove(_ id: Int) { fields.withLock { _ = $0.removeValue(forKey: id) } }

    private static func field(_ id: SQLValue) throws(QueryError) -> any FieldQuery {
        guard let id = id.intValue, let field = fields.withLock({ $0[Int(id)]?.field }) else {
            throw QueryError("a field of a plugin's type is not there any more")
        }
        return field
    }

    /// Adds what ``SQLiteDialect`` calls for such fields to a connection: `roost_field_cast(field, failure, value)`,
    /// `roost_field_key(field, form, value)` and `roost_field_count(field, form, value)`.
    ///
    /// They give the same for the same, so that SQLite asks once for what is the same for all rows, and uses an index for
    /// a column that is compared with it. Views and indexes cannot name them: other programs read the file too.
    package static func addFunctions(to connection: Connection) throws {
        try connection.createFunction("roost_field_cast", argumentCount: 3, isForStatementsOnly: true) { arguments in
            let value = Value(stored: arguments[2], form: .text)
            guard value != .null else { return .null }
            do {
                return SQLiteDialect.value(try field(arguments[0]).cast(value))
            } catch {
                switch arguments[1].intValue.flatMap(SQLiteDialect.CastFailure.init(rawValue:)) {
                case .error, nil: throw error
                case .null: return .null
                case .unchanged: return arguments[2]
                }
            }
        }
        try connection.createFunction("roost_field_key", argumentCount: 3, isForStatementsOnly: true) { arguments in
            let value = Value(stored: arguments[2], form: form(arguments[1]))
            guard value != .null else { return .null }
            return SQLiteDialect.value(try field(arguments[0]).key(of: value))
        }
        try connection.createFunction("roost_field_count", argumentCount: 3, isForStatementsOnly: true) { arguments in
            let value = Value(stored: arguments[2], form: form(arguments[1]))
            guard value != .null else { return .integer(0) }
            return .integer(Int64(try field(arguments[0]).count(of: value)))
        }
    }

    private static func form(_ value: SQLValue) -> FieldShape.Form {
        value.intValue.flatMap { UInt32(exactly: $0) }.flatMap(FieldShape.Form.init(rawValue:)) ?? .text
    }
}

extension Value {
    /// The value of a column, as what its form makes of it.
    init(stored value: SQLValue, form: FieldShape.Form) {
        switch value {
        case .null, .blob: self = .null
        case .integer(let number): self = form == .bool ? .bool(number != 0) : .number(Double(number))
        case .real(let number): self = form == .bool ? .bool(number != 0) : .number(number)
        case .text(let text):
            switch form {
            case .json: self = .json(text)
            case .list, .lastOfList: self = text.utf8.first == UInt8(ascii: "[") ? .json(text) : .text(text)
            case .text, .number, .bool, .secret, .date: self = .text(text)
            }
        }
    }
}
