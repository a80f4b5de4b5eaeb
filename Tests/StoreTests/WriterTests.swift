import Store
import Testing

@Suite("Writer")
struct WriterTests {
    private let scratch: Scratch

    init() throws { scratch = try Scratch() }

    /// Holds the writer up while jobs are queued, so that they share one transaction, and waits for their results.
    private func together(
        _ database: Database, retryable: Bool = false, _ jobs: [@Sendable (Transaction) throws -> Int]
    ) -> [Result<Int, any Error>] {
        let entered = Gate()
        let gate = Gate()
        let results = Log<(Int, Result<Int, any Error>)>()
        database.write(
            { _ in
                entered.open()
                gate.wait()
            }, completion: { _ in })
        // Only now it is sure that the transaction of the one that waits takes none of the jobs.
        entered.wait()
        for (index, job) in jobs.enumerated() {
            database.write(retryable: retryable, job) { results.append((index, $0)) }
        }
        gate.open()
        results.wait(for: jobs.count)
        return results.elements.sorted { $0.0 < $1.0 }.map(\.1)
    }

    @Test("jobs that share a commit fail alone")
    func oneFails() throws {
        let database = try scratch.database()
        let results = together(
            database,
            [
                { try $0.connection.run("INSERT INTO t (name) VALUES ('a')") },
                { transaction in
                    try transaction.connection.run("INSERT INTO t (name) VALUES ('lost')")
                    throw Failure()
                },
                { try $0.connection.run("INSERT INTO t (name) VALUES ('a')") },
                { try $0.connection.run("INSERT INTO t (name) VALUES ('b')") },
            ])
        #expect(throws: Never.self) { try results[0].get() }
        #expect(throws: Failure()) { try results[1].get() }
        #expect((#expect(throws: StoreError.self) { try results[2].get() })?.uniqueColumns.first?.column == "name")
        #expect(throws: Never.self) { try results[3].get() }
        #expect(try database.read { try $0.rows("SELECT name FROM t ORDER BY name") } == [["a"], ["b"]])
    }

    @Test("jobs run in the order they were queued and see those before")
    func order() throws {
        let database = try scratch.database()
        let jobs = (0..<300).map { number -> @Sendable (Transaction) throws -> Int in
            { transaction in
                try transaction.connection.run("INSERT INTO t (id) VALUES (?1)", [.integer(Int64(number))])
                return Int(try transaction.connection.scalar("SELECT count(*) FROM t")?.intValue ?? 0)
            }
        }
        #expect(together(database, jobs).map { try? $0.get() } == (1...300).map { $0 })
    }

    @Test("what is reported done is visible to readers, and not before")
    func visibility() throws {
        let database = try scratch.database()
        let seen = Log<Int64?>()
        database.write(
            { transaction in
                try transaction.connection.run("INSERT INTO t (name) VALUES ('a')")
                seen.append(try database.rowCount())
            },
            completion: { _ in seen.append(try? database.rowCount()) })
        seen.wait(for: 2)
        #expect(seen.elements == [0, 1])
    }

    @Test("a job that fills the disk fails, and so do all that cannot be kept")
    func full() throws {
        let database = try scratch.database()
        try database.maintain { try $0.execute("PRAGMA max_page_count = 20") }
        let results = together(
            database, retryable: true,
            [
                { try $0.connection.run("INSERT INTO t (name) VALUES ('small')") },
                { try $0.connection.run("INSERT INTO t (name, body) VALUES ('big', zeroblob(1000000))") },
                { try $0.connection.run("INSERT INTO t (name) VALUES ('after')") },
            ])
        #expect((#expect(throws: StoreError.self) { try results[1].get() })?.isFull == true)
        #expect(throws: Never.self) { try results[0].get() }
        #expect(throws: Never.self) { try results[2].get() }
        #expect(try database.read { try $0.rows("SELECT name FROM t ORDER BY id") } == [["small"], ["after"]])
    }

    @Test("a transaction lost under several jobs fails those that ran, retries the retryable, runs the rest")
    func lost() throws {
        for retryable in [false, true] {
            let database = try scratch.database()
            try database.writeAndWait { try $0.connection.run("DELETE FROM t") }
            let undone = Log<String>()
            let results = together(
                database, retryable: retryable,
                [
                    { transaction in
                        transaction.afterRollback { undone.append("first") }
                        return try transaction.connection.run("INSERT INTO t (name) VALUES ('first')")
                    },
                    { transaction in
                        transaction.afterRollback { undone.append("culprit") }
                        // As SQLite does by itself after some errors.
                        try transaction.connection.execute("ROLLBACK")
                        return 0
                    },
                    { try $0.connection.run("INSERT INTO t (name) VALUES ('rest')") },
                ])
            #expect((#expect(throws: StoreError.self) { try results[1].get() })?.kind == .transactionLost)
            #expect((try? results[2].get()) == 1)
            let names = try database.read { try $0.rows("SELECT name FROM t ORDER BY name") }
            if retryable {
                #expect((try? results[0].get()) == 1)
                #expect(names == [["first"], ["rest"]])
            } else {
                #expect((#expect(throws: StoreError.self) { try results[0].get() })?.kind == .transactionLost)
                #expect(names == [["rest"]])
            }
            #expect(undone.elements.sorted() == ["culprit", "first"])
            database.close()
        }
    }

    @Test("a job cannot commit by itself")
    func ownCommit() throws {
        let database = try scratch.database()
        #expect(throws: StoreError.self) {
            try database.writeAndWait { transaction in
                try transaction.connection.run("INSERT INTO t (name) VALUES ('a')")
                try transaction.connection.execute("COMMIT")
            }
        }
        #expect(throws: StoreError.self) {
            try database.writeAndWait { transaction in
                try transaction.connection.execute("ROLLBACK")
                try transaction.connection.run("INSERT INTO t (name) VALUES ('b')")
            }
        }
        #expect(try database.rowCount() == 0)
        try database.writeAndWait { try $0.connection.run("INSERT INTO t (name) VALUES ('c')") }
        #expect(try database.rowCount() == 1)
    }

    @Test("a commit that fails fails its jobs and undoes them")
    func commitFails() throws {
        let database = try scratch.database()
        try database.writeAndWait {
            try $0.connection.execute(
                """
                CREATE TABLE parent (id INTEGER PRIMARY KEY);
                CREATE TABLE child (p REFERENCES parent (id) DEFERRABLE INITIALLY DEFERRED);
                """)
        }
        let undone = Log<Int>()
        let results = together(
            database,
            [
                { try $0.connection.run("INSERT INTO t (name) VALUES ('a')") },
                { transaction in
                    transaction.afterRollback { undone.append(1) }
                    return try transaction.connection.run("INSERT INTO child VALUES (7)")
                },
                { try $0.connection.run("INSERT INTO t (name) VALUES ('b')") },
            ])
        #expect((#expect(throws: StoreError.self) { try results[1].get() })?.isForeignKeyConstraint == true)
        #expect((try? results[0].get()) == 1)
        #expect((try? results[2].get()) == 1)
        #expect(undone.count == 1)
        #expect(try database.rowCount() == 2)
    }

    @Test("savepoints nest and are undone alone")
    func savepoints() throws {
        let database = try scratch.database()
        let actions = Log<String>()
        try database.writeAndWait { transaction in
            let connection = transaction.connection
            try connection.run("INSERT INTO t (name) VALUES ('outer')")
            transaction.afterCommit { actions.append("outer commit") }
            _ = try? transaction.savepoint {
                try connection.run("INSERT INTO t (name) VALUES ('middle')")
                transaction.afterCommit { actions.append("middle commit") }
                transaction.afterRollback { actions.append("middle rollback") }
                try transaction.savepoint { try connection.run("INSERT INTO t (name) VALUES ('inner')") }
                throw Failure()
            }
            try transaction.savepoint {
                try connection.run("INSERT INTO t (name) VALUES ('kept')")
                transaction.afterRollback { actions.append("kept rollback") }
            }
        }
        #expect(try database.read { try $0.rows("SELECT name FROM t ORDER BY id") } == [["outer"], ["kept"]])
        #expect(actions.elements == ["middle rollback", "outer commit"])
    }

    @Test("a write inside a job is part of it, one after the commit is its own")
    func nestedWrites() throws {
        let database = try scratch.database()
        let done = Log<String>()
        #expect(throws: Failure()) {
            try database.writeAndWait { _ in
                try database.writeAndWait { try $0.connection.run("INSERT INTO t (name) VALUES ('inside')") }
                throw Failure()
            }
        }
        #expect(try database.rowCount() == 0)
        try database.writeAndWait { transaction in
            transaction.afterCommit {
                _ = try? database.writeAndWait { try $0.connection.run("INSERT INTO t (name) VALUES ('after')") }
                done.append("after")
            }
        }
        #expect(done.elements == ["after"])
        #expect(try database.rowCount() == 1)
    }

    @Test("more jobs than may wait are refused")
    func overload() throws {
        let database = try scratch.database { $0.maxQueuedWrites = 10 }
        let gate = Gate()
        let running = Gate()
        let results = Log<Bool>()
        database.write(
            { _ in
                running.open()
                gate.wait()
            }, completion: { _ in })
        running.wait()
        for _ in 0..<20 {
            database.write({ _ in }) { result in
                if case .failure(let error as StoreError) = result {
                    results.append(error.isOverloaded)
                } else {
                    results.append(false)
                }
            }
        }
        // The running one counts until its commit.
        #expect(results.elements == Array(repeating: true, count: 11))
        gate.open()
        #expect(results.wait(for: 20))
        #expect(results.elements.filter { $0 }.count == 11)
    }

    @Test("maintenance runs outside of transactions")
    func maintenance() throws {
        let database = try scratch.database()
        try database.writeAndWait { try $0.connection.run("INSERT INTO t (name) VALUES ('a')") }
        try database.maintain { try $0.execute("VACUUM") }
        #expect(throws: StoreError.self) { try database.writeAndWait { _ in try database.maintain { _ in } } }
        #expect(try database.rowCount() == 1)
    }

    @Test("closing finishes what is queued and refuses the rest")
    func close() throws {
        let database = try scratch.database()
        let results = Log<Bool>()
        for number in 0..<500 {
            database.write({ try $0.connection.run("INSERT INTO t (id) VALUES (?1)", [.integer(Int64(number))]) }) {
                results.append((try? $0.get()) != nil)
            }
        }
        database.close()
        #expect(results.elements == Array(repeating: true, count: 500))
        #expect((#expect(throws: StoreError.self) { try database.writeAndWait { _ in } })?.isClosed == true)
        #expect((#expect(throws: StoreError.self) { try database.read { _ in } })?.isClosed == true)
        database.write({ _ in }) { results.append((try? $0.get()) != nil) }
        #expect(results.elements.last == false)
        database.close()
        // No log is left behind: everything is in the file.
        #expect(scratch.names == ["data.db"])
        #expect(try scratch.database().rowCount() == 500)
    }

    @Test("the processor time of the writer is what its jobs use, and nothing once it has ended")
    func writerTime() throws {
        let database = try scratch.database()
        let before = database.writerTime
        try database.writeAndWait { _ in
            let end = monotonicNanoseconds() + 20_000_000
            while monotonicNanoseconds() < end {}
        }
        #expect(database.writerTime > before)
        database.close()
        #expect(database.writerTime == 0)
    }

    @Test("many threads write and read at once without losing anything")
    func load() throws {
        let database = try scratch.database { $0.maxReaders = 3 }
        let done = Log<Int>()
        for thread in 0..<8 {
            onThread {
                var acknowledged = 0
                for number in 0..<100 {
                    let id = Int64(thread * 1000 + number)
                    let isWritten =
                        (try? database.writeAndWait {
                            try $0.connection.run("INSERT INTO t (id) VALUES (?1)", [.integer(id)])
                        }) != nil
                    let isSeen =
                        (try? database.read { try $0.scalar("SELECT 1 FROM t WHERE id = ?1", [.integer(id)]) }) == 1
                    if isWritten, isSeen { acknowledged += 1 }
                }
                done.append(acknowledged)
            }
        }
        #expect(done.wait(for: 8))
        #expect(done.elements == Array(repeating: 100, count: 8))
        #expect(try database.rowCount() == 800)
    }
}
