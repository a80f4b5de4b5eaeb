/// One job's transaction on the writer's connection.
///
/// Other readers see its writes once it is committed, all at once; inside, they are seen right away. Several jobs may
/// share one commit, each in a savepoint of its own: a job sees what the jobs before it wrote, and if the commit they
/// share fails, none of them has happened. Used on the writer's thread, and only until its job returns; a job may also
/// have another thread use it while the job itself waits for that.
package final class Transaction {
    /// The writer's connection, inside the transaction. Do not BEGIN, COMMIT or ROLLBACK on it: a commit that is not
    /// the writer's own is turned into a rollback.
    package let connection: Connection

    /// Whether something that was to be undone could not be.
    private(set) var isBroken = false

    private var commitActions: [() -> Void] = []
    private var rollbackActions: [() -> Void] = []
    /// Rollback actions of savepoints that were rolled back; they run however the transaction ends.
    private var settledActions: [() -> Void] = []

    init(_ connection: Connection) { self.connection = connection }

    /// Runs a body that is undone alone if it throws. Nests.
    @discardableResult
    package func savepoint<T>(_ body: () throws -> T) throws -> T {
        let commits = commitActions.count
        let rollbacks = rollbackActions.count
        try connection.run("SAVEPOINT _roost")
        do {
            let result = try body()
            try connection.run("RELEASE _roost")
            return result
        } catch {
            commitActions.removeSubrange(min(commits, commitActions.count)...)
            let first = min(rollbacks, rollbackActions.count)
            settledActions.append(contentsOf: rollbackActions[first...])
            rollbackActions.removeSubrange(first...)
            // After the worst errors SQLite has rolled everything back already; then the writer notices.
            if connection.isInTransaction { undo("_roost") }
            throw error
        }
    }

    /// Rolls back to a savepoint and drops it. If that fails nothing of the transaction may be kept.
    func undo(_ savepoint: String) {
        do {
            try connection.run("ROLLBACK TO \(savepoint)")
            try connection.run("RELEASE \(savepoint)")
        } catch {
            isBroken = true
        }
    }

    /// Has an action run on the writer's thread after the commit, before the job's completion; not if the transaction
    /// or the savepoint it is called in is rolled back. Outside of the transaction: it may write with `writeAndWait`.
    package func afterCommit(_ action: @escaping () -> Void) { commitActions.append(action) }

    /// Has an action run on the writer's thread when the transaction, or the savepoint it is called in, was rolled
    /// back; after the end of the transaction in either case.
    package func afterRollback(_ action: @escaping () -> Void) { rollbackActions.append(action) }

    /// Runs the actions for the way the transaction ended.
    func end(committed: Bool) {
        let actions = settledActions + (committed ? commitActions : rollbackActions)
        settledActions = []
        commitActions = []
        rollbackActions = []
        for action in actions { action() }
    }
}
