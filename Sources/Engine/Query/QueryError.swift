/// Why a filter, rule or sort makes no query. The reason is for the log; a client is told no more than PocketBase
/// tells.
package struct QueryError: Error, Sendable, Equatable, CustomStringConvertible {
    package let reason: String

    init(_ reason: String) { self.reason = reason }

    package var description: String { reason }

    /// What a client sees of it.
    package var serviceError: ServiceError { .badRequest() }
}
