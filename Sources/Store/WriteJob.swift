/// One job of the writer's queue.
///
/// `@unchecked Sendable`: handed from the thread that makes it to the writer's thread through the queue's lock, and
/// touched by the latter alone from then on.
final class WriteJob: @unchecked Sendable {
    enum Work {
        /// Runs inside a transaction.
        case transaction((Transaction) throws -> Void)
        /// Runs between transactions, with the connection for itself.
        case alone((Connection) throws -> Void)
    }

    /// Nil once it has run for good, so that nothing it holds outlives the answer.
    private(set) var work: Work?
    private let completion: ((any Error)?) -> Void
    private let isRetryable: Bool
    private var attempts = 0

    /// The transaction of the present attempt.
    var transaction: Transaction?
    /// What its last attempt ended with.
    var failure: (any Error)?

    init(_ work: Work, isRetryable: Bool, completion: @escaping ((any Error)?) -> Void) {
        self.work = work
        self.isRetryable = isRetryable
        self.completion = completion
    }

    var runsAlone: Bool {
        if case .alone = work { true } else { false }
    }

    /// Whether it may run again after the transaction was lost through no fault of its own.
    var mayRetry: Bool { isRetryable && attempts < 2 }

    func beginAttempt(_ transaction: Transaction) {
        self.transaction = transaction
        failure = nil
        attempts += 1
    }

    /// Ends the job: runs the transaction's actions and then the completion.
    func finish(_ failure: (any Error)?) {
        work = nil
        let transaction = self.transaction
        self.transaction = nil
        transaction?.end(committed: failure == nil)
        completion(failure)
    }
}
