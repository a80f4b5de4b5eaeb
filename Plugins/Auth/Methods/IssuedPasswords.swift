import Synchronization

/// One-time passwords that are being made, so that requests at the same moment count each other's.
final class IssuedPasswords: Sendable {
    /// Open passwords of one record; further requests get the last one's id again.
    private static let most = 10
    private let pending = Mutex<[String: [String]]>([:])

    /// Takes a place for a new password.
    ///
    /// - Parameter known: the ids of the record's open passwords, the latest first.
    /// - Returns: nil, or the id to give when there are too many already.
    func reserve(_ id: String, for record: String, known: [String]) -> String? {
        pending.withLock { pending in
            let others = (pending[record] ?? []).filter { !known.contains($0) }
            if others.count + known.count >= Self.most { return others.last ?? known.first }
            pending[record, default: []].append(id)
            return nil
        }
    }

    /// The password is stored, or will not be.
    func release(_ id: String, of record: String) {
        pending.withLock { pending in
            pending[record]?.removeAll { $0 == id }
            if pending[record]?.isEmpty == true { pending[record] = nil }
        }
    }
}
