package import Store

/// A value that is filled into a `?` when a plan runs.
package enum PlanParameter: Sendable, Equatable {
    case constant(SQLValue)
    /// A text or number of the client's filter.
    case literal(Int, isPattern: Bool)
    case macro(FilterMacro, isPattern: Bool)
    /// A value of the request. `isNumeric`: a text that is a number becomes one.
    case request(RequestReference, isPattern: Bool, isNumeric: Bool)
    /// The members of a body's value as a JSON array.
    case bodyMembers(String)
    /// The distinct non-empty strings of a body's value as a JSON array.
    case bodyIDs(String)
    /// What the caller gives: the record's id, limit and offset, values of a new record.
    case extra(Int)

    /// The same value as the right side of a LIKE.
    var pattern: PlanParameter {
        switch self {
        case .constant(let value): .constant(.text(LikePattern.make(value)))
        case .literal(let position, _): .literal(position, isPattern: true)
        case .macro(let macro, _): .macro(macro, isPattern: true)
        case .request(let reference, _, let isNumeric): .request(reference, isPattern: true, isNumeric: isNumeric)
        case .bodyMembers, .bodyIDs, .extra: self
        }
    }
}

/// A piece of SQL with the parameters of its `?`s in their order; pieces are put together by interpolation.
struct SQLText: Sendable, Equatable, ExpressibleByStringInterpolation {
    var text: String
    var parameters: [PlanParameter] = []

    init(stringLiteral value: String) { text = value }
    init(raw: String) { text = raw }
    init(_ parameter: PlanParameter) {
        text = "?"
        parameters = [parameter]
    }

    struct StringInterpolation: StringInterpolationProtocol {
        var result = SQLText(raw: "")

        init(literalCapacity: Int, interpolationCount: Int) {
            result.text.reserveCapacity(literalCapacity + interpolationCount * 24)
        }
        mutating func appendLiteral(_ literal: String) { result.text += literal }
        mutating func appendInterpolation(_ sql: SQLText) {
            result.text += sql.text
            result.parameters += sql.parameters
        }
        mutating func appendInterpolation(_ parameter: PlanParameter) {
            result.text += "?"
            result.parameters.append(parameter)
        }
        /// The name of a table, column or alias.
        mutating func appendInterpolation(name: String) { SQLiteDialect.quote(name, onto: &result.text) }
        /// Text that is SQL already.
        mutating func appendInterpolation(raw: String) { result.text += raw }
    }

    init(stringInterpolation: StringInterpolation) { self = stringInterpolation.result }

    /// The same SQL with every parameter as a pattern for LIKE.
    var asPattern: SQLText {
        var copy = self
        copy.parameters = parameters.map(\.pattern)
        return copy
    }

    static func + (a: SQLText, b: SQLText) -> SQLText { "\(a)\(b)" }
    static func += (a: inout SQLText, b: SQLText) {
        a.text += b.text
        a.parameters += b.parameters
    }
}

extension Sequence<SQLText> {
    func joined(separator: String) -> SQLText {
        var result = SQLText(raw: "")
        var isFirst = true
        for part in self {
            if !isFirst { result.text += separator }
            isFirst = false
            result += part
        }
        return result
    }
}
