import Foundation
import Store
import Testing

@testable import Engine

@Suite("Backups")
struct BackupTests {
    private func entry(_ name: String, size: UInt64 = 10, compressed: UInt64 = 10, mode: UInt32 = 0o100644)
        -> ZipReader.Entry
    {
        ZipReader.Entry(index: 0, name: name, size: size, compressed: compressed, mode: mode, isEncrypted: false)
    }

    private func check(_ entries: [ZipReader.Entry], archiveSize: UInt64 = 1 << 20) throws -> [String] {
        try RestoreStage.check(entries, archiveSize: archiveSize, free: 1 << 30).map(\.name)
    }

    @Test(
        "names that leave their folder are refused",
        arguments: [
            "../a", "a/../b", "/a", "a//b", "./a", "a/.", "..", ".", "", "/", "a\\b", "a\u{0}b", "a\nb",
            String(repeating: "a", count: 256), String(repeating: "a/", count: 600),
        ])
    func unsafeNames(_ name: String) {
        #expect(!RestoreStage.isSafe(name))
        #expect(throws: BackupError.self) { try check([entry("data.db"), entry(name)]) }
    }

    @Test("what is no data is left out, and a log's shared memory")
    func kept() throws {
        let names = [
            "data.db", "data.db-wal", "data.db-shm", "auxiliary.db", "storage/a/b/c.txt", "backups/x.zip",
            "_roost_lock",
            "_roost_restore/journal", ".pb_temp_to_delete/a", "lost+found/a", "types.d.ts", "storage/",
        ]
        #expect(
            try check(names.map { entry($0) })
                == ["data.db", "data.db-wal", "auxiliary.db", "storage/a/b/c.txt", "types.d.ts", "storage/"])
    }

    @Test("the log's spool goes with the database, but into no backup")
    func spool() {
        #expect(BackupFolders.isData("auxiliary.db-spool-1") && BackupFolders.isSideFile("auxiliary.db-spool-1"))
        #expect(!BackupFolders.isSideFile("auxiliary.db"))
    }

    @Test("lists that cannot be true are refused")
    func bombs() throws {
        let data = entry("data.db")
        #expect(throws: BackupError.self) { try check([data, entry("a", size: 1033, compressed: 1)]) }
        #expect(try check([data, entry("a", size: 1032, compressed: 1)]).count == 2)
        #expect(throws: BackupError.self) {
            try check([data] + (0..<10).map { entry("a\($0)", size: 1000, compressed: 200) }, archiveSize: 1000)
        }
        #expect(throws: BackupError.self) { try check([data, entry("a", size: .max, compressed: .max)]) }
        #expect(throws: BackupError.self) {
            try check([data, entry("a", size: 1 << 30, compressed: 1 << 21)], archiveSize: 1 << 22)
        }
        #expect(throws: BackupError.self) { try check([data, data]) }
        #expect(throws: BackupError.self) { try check([entry("auxiliary.db")]) }
        #expect(throws: BackupError.self) { try check([data, entry("link", mode: 0o120777)]) }
    }

    @Test(
        "names are made as PocketBase makes them",
        arguments: [
            ("Acme", "acme"), ("My App", "my_app"), ("myApp 2", "my_app_2"), ("HTTPServer", "httpserver"), ("ä b", "b"),
            ("a_b", "a_b"), ("", ""), ("aB-cD", "a_b_c_d"),
        ])
    func names(_ app: String, _ expected: String) {
        #expect(
            BackupName.make("p_", appName: app, seconds: 1_709_164_800) == "p_\(expected)_20240229000000.zip")
    }

    @Test("a frozen file is a whole database while writes go on")
    func frozen() throws {
        let path = NSTemporaryDirectory() + "roost-frozen-\(RandomText.make(12)).db"
        let database = try Database(path: path)
        defer {
            database.close()
            for suffix in ["", "-wal", "-shm", "-copy"] { unlink(path + suffix) }
        }
        try database.writeAndWait { try $0.connection.execute("CREATE TABLE t (n INTEGER, text TEXT)") }
        func write(_ n: Int) throws {
            try database.writeAndWait {
                try $0.connection.run(
                    "INSERT INTO t VALUES (?, ?)", [.integer(Int64(n)), .text(String(repeating: "x", count: 3000))])
            }
        }
        for n in 1...50 { try write(n) }
        try database.withFrozenFile { file in
            var copy: [UInt8] = []
            let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 8192, alignment: 16)
            defer { buffer.deallocate() }
            var n = 51
            while true {
                let count = try file.read(into: buffer, at: Int64(copy.count))
                if count == 0 { break }
                copy += UnsafeRawBufferPointer(rebasing: buffer[..<count])
                try write(n)
                n += 1
            }
            // A checkpoint that is asked for meanwhile waits.
            try database.checkpoint()
            #expect(Int64(copy.count) == file.size)
            try Data(copy).write(to: URL(fileURLWithPath: path + "-copy"))
            // Somebody else would get an older commit than he asked for.
            #expect(n > 60)
        }
        let copy = try Connection(path: path + "-copy", access: .immutable)
        #expect(try copy.scalar("PRAGMA integrity_check") == .text("ok"))
        #expect(try copy.scalar("SELECT COUNT(*) FROM t") == .integer(50))
        copy.close()
        try database.checkpoint()
        #expect(try database.read { try $0.scalar("SELECT COUNT(*) FROM t")?.intValue ?? 0 } > 50)
    }
}
