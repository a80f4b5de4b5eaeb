import Glibc
import JSON
package import Store

/// A finished query: SQL with `?`s, and where their values come from. Shared by all requests that it fits.
package struct SelectPlan: Sendable {
    package let sql: String
    /// The values of the `?`s of `sql`, in order.
    package let parameters: [PlanParameter]
    /// The same page where all rows that meet the conditions must be sorted for it: their keys alone are, and only the
    /// page's records are read in full. After a record's columns comes its row number. With conditions,
    /// `Connection.counted` tells then how many met them.
    package let sortedSQL: String?
    /// The same page for who also counts all rows, where that is better asked otherwise.
    let whole: Page?
    /// Whether not all rows are let through.
    package let hasConditions: Bool
    /// The query for the number of all rows, where there is one.
    package let countSQL: String?
    package let countParameters: [PlanParameter]
    /// The records of known row numbers, in their order; the one parameter is a JSON array of them.
    package let rowsSQL: String?
    /// Whether what is found and counted stays the same as long as nothing is written.
    package let isSteady: Bool
    let guards: [PlanGuard]
    /// The fields that the SQL's functions are asked about, kept as long as it may run.
    var fields: [any FieldQuery] = []
    /// The texts and numbers of the filter that the plan was asked for with.
    var literals: [SQLValue] = []

    /// A page's statements, and the parameters of either.
    package struct Page: Sendable {
        package let sql: String
        package let sortedSQL: String?
        package let parameters: [PlanParameter]
    }

    /// - Parameter isCounted: whether all rows are counted too.
    package func page(isCounted: Bool) -> Page {
        (isCounted ? whole : nil) ?? Page(sql: sql, sortedSQL: sortedSQL, parameters: parameters)
    }

    /// Whether the plan was made for requests like this one.
    package func fits(_ request: RequestInfo) -> Bool { guards.allSatisfy { $0.holds(for: request) } }

    /// The values for the `?`s of `sql`.
    /// - Parameters:
    ///   - extra: what the kind of the query asks of the caller (see `RecordQuery`).
    ///   - milliseconds: the time that macros tell, since 1970; nil for now.
    package func values(
        for request: RequestInfo, extra: [SQLValue] = [], at milliseconds: Int64? = nil
    ) -> [SQLValue] {
        values(parameters, request, extra, milliseconds)
    }

    /// The values for the `?`s of `countSQL`.
    package func countValues(for request: RequestInfo, at milliseconds: Int64? = nil) -> [SQLValue] {
        values(countParameters, request, [], milliseconds)
    }

    /// Fills the statement's `?`s.
    package func bind(
        to statement: Statement, request: RequestInfo, extra: [SQLValue] = []
    ) throws(StoreError) {
        try statement.bind(values(for: request, extra: extra))
    }

    /// The values of a page's parameters.
    package func values(
        _ parameters: [PlanParameter], for request: RequestInfo, extra: [SQLValue]
    ) -> [SQLValue] {
        values(parameters, request, extra, nil)
    }

    private func values(
        _ parameters: [PlanParameter], _ request: RequestInfo, _ extra: [SQLValue], _ milliseconds: Int64?
    ) -> [SQLValue] {
        var time = milliseconds
        return parameters.map { parameter in
            switch parameter {
            case .constant(let value): return value
            case .literal(let position, let isPattern):
                let value = literals.indices.contains(position) ? literals[position] : .null
                return isPattern ? .text(LikePattern.make(value)) : value
            case .extra(let position): return extra.indices.contains(position) ? extra[position] : .null
            case .macro(let macro, let isPattern):
                let now = time ?? Self.currentMilliseconds()
                // One moment for the whole query.
                time = now
                let value = macro.value(at: now)
                return isPattern ? .text(LikePattern.make(value)) : value
            case .request(let reference, let isPattern, let isNumeric):
                let found = reference.find(in: request)
                let value = Self.value(of: found, isNumeric: isNumeric)
                return isPattern ? .text(Self.pattern(of: found, value)) : value
            case .bodyMembers(let key): return .text(JSON.array(request.bodyMembers(key)).serialized())
            case .bodyIDs(let key): return .text(JSON.array(request.bodyIDs(key).map { .string($0) }).serialized())
            }
        }
    }

    private static func value(of found: RequestReference.Found, isNumeric: Bool) -> SQLValue {
        guard case .value(let value) = found else { return .null }
        if isNumeric, case .text(let text) = value, let number = Double(text) { return .real(number) }
        return SQLiteDialect.value(value)
    }

    private static func pattern(of found: RequestReference.Found, _ value: SQLValue) -> String {
        // Go writes booleans as words.
        if case .value(.bool(let isTrue)) = found { return LikePattern.make(isTrue ? "true" : "false") }
        return LikePattern.make(value)
    }

    private static func currentMilliseconds() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
    }
}
