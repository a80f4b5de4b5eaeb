import Glibc

/// What a plan took for granted of the request when it was made. A plan serves every request for which all its guards
/// hold, so that a rule is compiled once for all signed-in users and not once for each.
enum PlanGuard: Sendable, Equatable {
    enum Fill: Sendable, Equatable { case null, empty, filled }

    /// Who is signed in, by collection; nil for nobody.
    case auth(collectionID: String?)
    case isSet(RequestReference, Bool)
    case fill(RequestReference, Fill)
    case bodyCount(String, Int)
    /// No, one or (2) many ids.
    case idCount(String, Int)
    /// A time in seconds of the clock that only goes forward: what was known of the tables' sizes is old then.
    case until(Int)

    func holds(for request: RequestInfo) -> Bool {
        switch self {
        case .auth(let collectionID): request.auth?.collection.id == collectionID
        case .isSet(let reference, let isSet): (reference.find(in: request) != .nothing) == isSet
        case .fill(let reference, let fill): Self.fill(of: reference.find(in: request)) == fill
        case .bodyCount(let key, let count): request.bodyMembers(key).count == count
        case .until(let time): Self.seconds < time
        case .idCount(let key, let count): min(2, request.bodyIDs(key).count) == count
        }
    }

    static var seconds: Int {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC_COARSE, &time)
        return time.tv_sec
    }

    static func fill(of found: RequestReference.Found) -> Fill {
        switch found {
        case .nothing, .value(.null): .null
        case .value(.text(let text)), .value(.json(let text)): text.isEmpty ? .empty : .filled
        case .value(.bool), .value(.number): .filled
        }
    }
}
