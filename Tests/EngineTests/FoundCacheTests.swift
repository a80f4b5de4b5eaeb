import Glibc
import Store
import Testing

@testable import Engine

@Suite("What queries have found")
final class FoundCacheTests {
    let database: Database

    init() throws {
        database = try Database(path: "/tmp/roost-found-\(RandomText.make(12)).db")
        try database.maintain { try $0.execute("CREATE TABLE `t` (`a`)") }
    }

    deinit {
        database.close()
        for suffix in ["", "-wal", "-shm"] { unlink(database.path + suffix) }
    }

    private func version() throws -> ContentVersion { try #require(try database.read { try $0.contentVersion }) }
    private func insert() throws { try database.writeAndWait { try $0.connection.run("INSERT INTO `t` VALUES (1)") } }
    private func key(_ number: Int64, _ text: String = "") -> FoundCache.Key {
        FoundCache.Key(sql: "SELECT ?", values: [.integer(number), .text(text)])
    }

    @Test("it is there until something is written, by this process or another")
    func untilWritten() throws {
        let cache = FoundCache()
        let first = try version()
        #expect(try version() == first)
        cache.keep(5, of: key(1), at: first)
        cache.keep([3, 1], of: key(1), at: first)
        #expect(cache.total(of: key(1), at: first) == 5)
        #expect(cache.rows(of: key(1), at: first) == [3, 1])
        #expect(cache.total(of: key(2), at: first) == nil)
        try insert()
        let second = try version()
        #expect(second != first)
        #expect(cache.total(of: key(1), at: second) == nil)
        #expect(cache.rows(of: key(1), at: second) == nil)
        cache.keep(6, of: key(2), at: second)
        #expect(cache.total(of: key(1), at: first) == nil)
        #expect(cache.total(of: key(2), at: second) == 6)

        let other = try Connection(path: database.path, access: .readWrite(create: false))
        try other.run("INSERT INTO `t` VALUES (2)")
        let third = try version()
        #expect(third != second)
        // What was there before comes again, but not the number of the commit.
        try other.run("DELETE FROM `t` WHERE `a` = 2")
        #expect(try version() != second)
        other.close()
        let calm = try version()
        try database.checkpoint()
        _ = try database.read { try $0.rows("SELECT * FROM `t`") }
        // Copying the log changes nothing that is stored; whether the version says so does not matter.
        cache.keep(7, of: key(3), at: calm)
        #expect(cache.total(of: key(3), at: calm) == 7)
    }

    @Test("every commit has a version of its own")
    func versions() throws {
        var seen: Set<ContentVersion> = [try version()]
        for round in 0..<300 {
            try insert()
            if round % 50 == 0 { try database.checkpoint() }
            #expect(seen.insert(try version()).inserted)
        }
    }

    @Test("all connections agree, and inside a transaction there is none")
    func connections() throws {
        let outer = try database.read { first in
            let second = try Connection(path: database.path, access: .readOnly)
            defer { second.close() }
            let (a, b) = (try first.contentVersion, try second.contentVersion)
            #expect(a != nil && a == b)
            try second.run("BEGIN")
            #expect(try second.contentVersion != nil)
            _ = try second.rows("SELECT * FROM `t`")
            #expect(try second.contentVersion == nil)
            try second.run("COMMIT")
            return a
        }
        try database.writeAndWait { transaction in
            try transaction.connection.run("INSERT INTO `t` VALUES (1)")
            #expect(try transaction.connection.contentVersion == nil)
            // Nobody else sees anything before the commit.
            #expect(try database.read { try $0.contentVersion } == outer)
        }
        #expect(try version() != outer)
    }

    @Test("what it takes is bounded")
    func bounded() throws {
        let cache = FoundCache()
        let now = try version()
        cache.keep(1, of: key(1, String(repeating: "x", count: 10_000)), at: now)
        #expect(cache.total(of: key(1, String(repeating: "x", count: 10_000)), at: now) == nil)
        let text = String(repeating: "x", count: 1000)
        for number in 0..<10_000 { cache.keep(Int(number), of: key(Int64(number), text), at: now) }
        let kept = (0..<10_000).count { cache.total(of: key(Int64($0), text), at: now) == $0 }
        #expect(kept > 0 && kept < 2500)
        #expect(cache.total(of: key(9999, text), at: now) == 9999)
    }

    @Test("what a view is asked is not kept, for it may ask for the time")
    func views() {
        let schema = Schema(collections: QueryFixture.collections, version: 1)
        let ofView: SQLText = "SELECT id FROM \(name: "titles")"
        let ofTable: SQLText = "SELECT id FROM \(name: "posts")"
        #expect(!ofView.isSteady(in: schema))
        #expect(ofTable.isSteady(in: schema))
    }
}
