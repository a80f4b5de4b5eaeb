import Glibc
import Store
import Testing

@Suite("Database")
struct DatabaseTests {
    private let scratch: Scratch

    init() throws { scratch = try Scratch() }

    @Test("readers see what is committed only, and a snapshot does not move")
    func snapshot() throws {
        let database = try scratch.database()
        try database.read(snapshot: true) { connection in
            #expect(try connection.scalar("SELECT count(*) FROM t") == 0)
            try database.writeAndWait { try $0.connection.run("INSERT INTO t (name) VALUES ('a')") }
            #expect(try connection.scalar("SELECT count(*) FROM t") == 0)
            #expect(try database.rowCount() == 1)
        }
        try database.read { connection in
            try database.writeAndWait { try $0.connection.run("INSERT INTO t (name) VALUES ('b')") }
            #expect(try connection.scalar("SELECT count(*) FROM t") == 2)
        }
    }

    @Test("a reader that was left in the middle of a query does not hold its snapshot")
    func unfinished() throws {
        let database = try scratch.database { $0.maxReaders = 1 }
        try database.writeAndWait { try $0.connection.run("INSERT INTO t (name) VALUES ('a'), ('b')") }
        let left = try database.read { connection in
            let statement = try connection.prepare("SELECT name FROM t")
            _ = try statement.step()
            return statement
        }
        try database.writeAndWait { try $0.connection.run("INSERT INTO t (name) VALUES ('c')") }
        #expect(try database.rowCount() == 3)
        left.finish()
        #expect(throws: Failure()) {
            try database.read(snapshot: true) { connection in
                _ = try connection.scalar("SELECT 1 FROM t")
                throw Failure()
            }
        }
        try database.writeAndWait { try $0.connection.run("INSERT INTO t (name) VALUES ('d')") }
        #expect(try database.rowCount() == 4)
    }

    @Test("a table that outgrew its statistics is not read from end to end where there is a key")
    func statistics() throws {
        func plan(_ database: Database) throws -> [String] {
            try database.read { connection in
                try connection.rows(
                    """
                    EXPLAIN QUERY PLAN SELECT t.body FROM json_each('["a"]') AS j CROSS JOIN t WHERE t.name = j.value
                    """
                ).compactMap { $0.last?.textValue }
            }
        }
        let database = try scratch.database()
        try database.writeAndWait { transaction in
            try transaction.connection.execute(
                "INSERT INTO t (name) VALUES ('a'); ANALYZE")
        }
        database.close()
        let again = try scratch.database()
        #expect(try plan(again).contains("SCAN t"))
        try again.writeAndWait { transaction in
            for number in 0..<1000 {
                try transaction.connection.run("INSERT INTO t (name) VALUES (?)", [.text("n\(number)")])
            }
        }
        // Measured after the commit was acknowledged, and once the next two seconds are over.
        var isSearched = false
        for _ in 0..<100 where !isSearched {
            usleep(50_000)
            try again.writeAndWait { _ in }
            isSearched = try plan(again).contains { $0.hasPrefix("SEARCH t") }
        }
        #expect(isSearched)
        again.close()
        let reopened = try scratch.database()
        #expect(try plan(reopened).contains { $0.hasPrefix("SEARCH t") })
    }

    @Test("readers share the memory for their caches")
    func readerCaches() throws {
        let database = try scratch.database { $0.readerCacheKiB = 9_000 }
        func size(_ connection: Connection) throws -> Int64? {
            try connection.scalar("PRAGMA cache_size")?.intValue
        }
        #expect(try database.read { try size($0) } == -9_000)
        let second = try database.read { _ in try database.read { try size($0) } }
        #expect(second == -4_500)
        // Both stay open.
        #expect(try database.read { try size($0) } == -4_500)
    }

    @Test("a reader cannot write")
    func readOnly() throws {
        let database = try scratch.database()
        let failure = #expect(throws: StoreError.self) { try database.read { try $0.run("DELETE FROM t") } }
        #expect(failure?.isReadOnly == true)
    }

    @Test("a thread that must not wait gets a reader when all are lent, and so does one that holds a reader")
    func beyondTheLimit() throws {
        let database = try scratch.database {
            $0.maxReaders = 1
            $0.readerWait = 200_000_000
        }
        let results = Log<Int64?>()
        try database.read { _ in
            let own = try database.rowCount()
            #expect(own == 0)
            onThread {
                results.append((try? database.rowCount()) ?? nil)
                ThreadLoans.neverWait()
                results.append((try? database.rowCount()) ?? nil)
            }
            #expect(results.wait(for: 2))
        }
        #expect(results.elements == [nil, 0])
        #expect(try database.rowCount() == 0)
    }

    @Test("a read waits for a reader, and not for ever")
    func exhaustion() throws {
        let database = try scratch.database {
            $0.maxReaders = 1
            $0.readerWait = 300_000_000
        }
        let taken = Gate()
        let results = Log<Int64?>()
        onThread {
            try? database.read { _ in
                taken.open()
                usleep(100_000)
            }
            results.append(nil)
        }
        taken.wait()
        results.append(try database.rowCount())
        #expect(results.wait(for: 2))
        #expect(results.elements.contains(0))
        let isOverloaded = Log<Bool>()
        try database.read { _ in
            onThread {
                do { _ = try database.rowCount() } catch {
                    isOverloaded.append((error as? StoreError)?.isOverloaded == true)
                }
            }
            isOverloaded.wait(for: 1)
        }
        #expect(isOverloaded.elements == [true])
    }

    @Test("a read that takes longer than the query timeout is stopped")
    func queryTimeout() throws {
        let database = try scratch.database { $0.queryTimeout = 20_000_000 }
        let failure = #expect(throws: StoreError.self) {
            try database.read {
                try $0.scalar("WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT max(x) FROM n")
            }
        }
        #expect(failure?.isDeadlineExceeded == true)
    }

    @Test("each connection is prepared")
    func prepareConnection() throws {
        let database = try scratch.database {
            $0.prepareConnection = { try $0.createFunction("answer", argumentCount: 0) { _ in 42 } }
        }
        #expect(try database.read { try $0.scalar("SELECT answer()") } == 42)
        #expect(try database.writeAndWait { try $0.connection.scalar("SELECT answer()") } == 42)
    }

    @Test("a file that is no database is refused and left as it is")
    func notADatabase() throws {
        let bytes = Array("just some text, ".utf8) + [UInt8](repeating: 7, count: 5000)
        for content in [bytes, Array("SQLite format 3\0".utf8), [1]] {
            scratch.write("data.db", content)
            let failure = #expect(throws: StoreError.self) { try Database(path: scratch.file("data.db")) }
            #expect(failure?.kind == .unusableFile)
            #expect(scratch.read("data.db") == content)
            #expect(scratch.names == ["data.db"])
        }
    }

    @Test("a damaged database is refused and left as it is")
    func damaged() throws {
        let database = try scratch.database()
        try database.writeAndWait { transaction in
            for number in 0..<500 {
                try transaction.connection.run(
                    "INSERT INTO t (name, body) VALUES (?1, randomblob(300))", [.text("name \(number)")])
            }
        }
        database.close()
        let sound = scratch.read("data.db")
        for range in [100..<400, 4096 * 3..<4096 * 9] {
            var bytes = sound
            for index in range { bytes[index] = 0xAA }
            scratch.write("data.db", bytes)
            let failure = #expect(throws: StoreError.self) { try Database(path: scratch.file("data.db")) }
            #expect(failure?.isCorrupt == true)
            #expect(failure?.message.contains("data.db") == true)
            #expect(scratch.read("data.db") == bytes)
            #expect(scratch.names == ["data.db"])
        }
        scratch.write("data.db", Array(sound[..<(sound.count / 2)]))
        #expect(throws: StoreError.self) { try Database(path: scratch.file("data.db")) }
        scratch.write("data.db", sound)
        #expect(try Database(path: scratch.file("data.db")).rowCount() == 500)
    }

    @Test("a directory, a missing directory and an empty file are told apart")
    func odd() throws {
        #expect(throws: StoreError.self) { try Database(path: scratch.path) }
        #expect(throws: StoreError.self) { try Database(path: scratch.file("missing/data.db")) }
        scratch.write("data.db", [])
        #expect(throws: Never.self) { try scratch.database() }
    }

    @Test("a directory that cannot be written to is refused", .disabled(if: getuid() == 0, "root may write anywhere"))
    func readOnlyDirectory() throws {
        try scratch.database().close()
        chmod(scratch.path, 0o500)
        defer { chmod(scratch.path, 0o700) }
        #expect(throws: StoreError.self) { try Database(path: scratch.file("data.db")) }
    }

    @Test("a log left by a process that died is read")
    func leftLog() throws {
        let copy = try Scratch()
        do {
            let database = try scratch.database()
            try database.writeAndWait { try $0.connection.run("INSERT INTO t (name) VALUES ('a')") }
            copy.write("data.db", scratch.read("data.db"))
            copy.write("data.db-wal", scratch.read("data.db-wal"))
        }
        #expect(try copy.database().rowCount() == 1)
    }

    @Test("names with odd characters work")
    func oddNames() throws {
        for name in ["a b?c#d%41.db", "é.db"] {
            try Database(path: scratch.file(name)).close()
            let database = try Database(path: scratch.file(name))
            try database.writeAndWait { try $0.connection.execute("CREATE TABLE x (y)") }
            database.close()
            #expect(scratch.names.contains(name))
        }
    }

    @Test("one process has a directory's lock, and who asks again is told so")
    func directoryLock() throws {
        var lock: DirectoryLock? = try DirectoryLock(scratch.path)
        let failure = #expect(throws: StoreError.self) { try DirectoryLock(scratch.path) }
        #expect(failure?.isBusy == true)
        #expect(failure?.message.contains("\(getpid())") == true)
        withExtendedLifetime(lock) {}
        lock = nil
        #expect(throws: Never.self) { try DirectoryLock(scratch.path) }
        #expect(throws: StoreError.self) { try DirectoryLock(scratch.file("missing")) }
    }
}
