/// A value as SQLite stores it.
package enum SQLValue: Sendable, Hashable {
    case null
    case integer(Int64)
    case real(Double)
    case text(String)
    case blob([UInt8])
}

extension SQLValue {
    /// Whether this is NULL.
    package var isNull: Bool { self == .null }

    /// The text of a text value, else nil.
    package var textValue: String? {
        if case .text(let value) = self { value } else { nil }
    }

    /// The value of an integer, or of a real that is one; else nil.
    package var intValue: Int64? {
        switch self {
        case .integer(let value): value
        case .real(let value): Int64(exactly: value)
        case .null, .text, .blob: nil
        }
    }

    /// The value of an integer or a real, else nil.
    package var doubleValue: Double? {
        switch self {
        case .integer(let value): Double(value)
        case .real(let value): value
        case .null, .text, .blob: nil
        }
    }

    /// The bytes of a blob, else nil.
    package var blobValue: [UInt8]? {
        if case .blob(let value) = self { value } else { nil }
    }
}

extension SQLValue: ExpressibleByNilLiteral, ExpressibleByIntegerLiteral, ExpressibleByFloatLiteral,
    ExpressibleByBooleanLiteral, ExpressibleByStringLiteral, ExpressibleByStringInterpolation
{
    package init(nilLiteral: ()) { self = .null }
    package init(integerLiteral value: Int64) { self = .integer(value) }
    package init(floatLiteral value: Double) { self = .real(value) }
    /// SQLite has no booleans: 1 and 0.
    package init(booleanLiteral value: Bool) { self = .integer(value ? 1 : 0) }
    package init(stringLiteral value: String) { self = .text(value) }
}
