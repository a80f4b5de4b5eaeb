import Foundation
import JSON
import Store
import Testing

@testable import Engine

@Suite("Log lines")
struct LogWriterTests {
    /// A folder with an `auxiliary.db`.
    private final class Folder: Sendable {
        let path: String
        let database: Database

        init() throws {
            path = NSTemporaryDirectory() + "logs-" + UUID().uuidString
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
            database = try Database(path: path + "/auxiliary.db")
            try database.writeAndWait {
                try Bootstrap(SchemaEnvironment(types: SchemaFieldType.registry)).prepareAuxiliary($0.connection)
            }
        }

        deinit {
            database.close()
            try? FileManager.default.removeItem(atPath: path)
        }

        func writer(_ options: LogWriter.Options = .init(), busy: Bool = false, spools: Bool = true) throws -> LogWriter
        {
            try LogWriter(database: database, options: options, spools: spools) { !busy }
        }

        var messages: [String] {
            get throws {
                try database.read { try $0.rows("SELECT message FROM _logs ORDER BY rowid") }.compactMap(
                    \.[0].textValue)
            }
        }

        /// The spool's files, the oldest first.
        var spool: [String] {
            FileSystem.names(in: path).filter(LogSpool.isSpool).sorted().map { "\(path)/\($0)" }
        }

        var spoolSize: Int { spool.map { bytes($0).count }.reduce(0, +) }

        func bytes(_ path: String) -> [UInt8] { FileSystem.read(path, limit: 1 << 30) ?? [] }
    }

    private func block(_ messages: [String], at milliseconds: Int64 = Timestamp.microseconds() / 1000) -> LogBlock {
        var block = LogBlock()
        for message in messages {
            block.append(
                LogEntry(level: .info, message: message, data: ["a": 1], milliseconds: milliseconds))
        }
        block.seal()
        return block
    }

    private struct Texts {
        var method = "GET"
        var url = "/api/health?a=ü"
        var referer = ""
        var userAgent = "agent"
    }

    private func append(
        _ texts: Texts = Texts(), to block: inout LogBlock, _ change: (inout RequestLog) -> Void = { _ in }
    ) {
        Array(texts.url.utf8).withUnsafeBytes { url in
            Array(texts.referer.utf8).withUnsafeBytes { referer in
                Array(texts.userAgent.utf8).withUnsafeBytes { userAgent in
                    var request = RequestLog(
                        level: .error, method: texts.method, url: url, status: 200, duration: 1_500_000,
                        referer: referer, userAgent: userAgent, auth: "users", authID: nil, userIP: "127.0.0.1",
                        remoteIP: "127.0.0.1", error: nil, details: nil)
                    request.milliseconds = 1
                    change(&request)
                    block.append(request)
                }
            }
        }
    }

    private func texts(_ texts: Texts = Texts(), _ change: (inout RequestLog) -> Void = { _ in }) throws -> [String] {
        var block = LogBlock()
        append(texts, to: &block, change)
        let line = try #require(block.lines.first)
        #expect(block.lines.count == 1 && line.level == 8 && line.milliseconds == 1)
        var writer = JSONWriter()
        return block.withTexts(of: line, &writer) {
            [String(decoding: $0, as: UTF8.self), String(decoding: $1, as: UTF8.self)]
        }
    }

    private func wait(_ until: () throws -> Bool) rethrows -> Bool {
        for _ in 0..<1000 {
            if try until() { return true }
            usleep(10_000)
        }
        return false
    }

    // MARK: - Blocks

    @Test("a request's line has PocketBase's members in its order")
    func requestLine() throws {
        #expect(
            try texts() == [
                "GET /api/health?a=ü",
                #"{"auth":"users","execTime":1.5,"method":"GET","referer":"","remoteIP":"127.0.0.1","status":200,"#
                    + #""type":"request","url":"/api/health?a=ü","userAgent":"agent","userIP":"127.0.0.1"}"#,
            ])
        let all = try texts {
            $0.authID = "a\"b"
            $0.userIP = "10.0.0.1"
            $0.error = "wrong"
            $0.details = "because"
            $0.status = 404
        }
        #expect(
            all[1]
                == #"{"auth":"users","authId":"a\"b","details":"because","error":"wrong","execTime":1.5,"method":"GET","#
                + #""referer":"","remoteIP":"127.0.0.1","status":404,"type":"request","url":"/api/health?a=ü","#
                + #""userAgent":"agent","userIP":"10.0.0.1"}"#)
        let bare = try texts { ($0.userIP, $0.remoteIP) = (nil, nil) }[1]
        #expect(!bare.contains("IP"))
    }

    @Test("long texts of a request are cut")
    func longTexts() throws {
        let long = String(repeating: "x", count: 5000)
        let found = try texts(Texts(method: long, url: long, referer: long, userAgent: long))
        func cut(_ count: Int) -> String { long.prefix(count) + "..." }
        #expect(found[0] == "\(cut(50)) \(cut(3000))")
        let data = try JSONParser.parse(Array(found[1].utf8))
        #expect(data["referer"]?.stringValue == cut(2000) && data["userAgent"]?.stringValue == cut(2000))
        #expect(data["url"]?.stringValue == cut(3000) && data["method"]?.stringValue == cut(50))
    }

    @Test("a block that is not whole is none")
    func damagedBlock() throws {
        let whole = block(["one", "two"]).bytes
        #expect(LogBlock(whole)?.lines.count == 2)
        for count in 0..<whole.count { #expect(LogBlock(Array(whole[..<count])) == nil) }
        for index in whole.indices {
            var bytes = whole
            bytes[index] ^= 0x10
            #expect(LogBlock(bytes) == nil)
        }
    }

    @Test("lines that say what cannot be are read without harm")
    func hostileLines() throws {
        var random = SystemRandomNumberGenerator()
        for _ in 0..<300 {
            var whole = block(["one", "two"])
            append(to: &whole)
            whole.seal()
            var bytes = whole.bytes
            for _ in 0..<3 {
                bytes[.random(in: LogBlock.headerSize..<bytes.count, using: &random)] = .random(in: 0...255)
            }
            // As if it had been written so.
            let hostile = LogBlock(unchecked: bytes)
            var writer = JSONWriter()
            for line in hostile.lines {
                hostile.withTexts(of: line, &writer) { message, data in
                    _ = (
                        Array(message), Array(data),
                        Timestamp.format(seconds: line.milliseconds / 1000, milliseconds: 0)
                    )
                }
            }
        }
    }

    // MARK: - The spool

    @Test("a spool gives back its blocks in their order, and leaves nothing")
    func spoolOrder() throws {
        let folder = try Folder()
        var spool = LogSpool(beside: folder.database.path)
        let blocks = (0..<30).map { block(["\($0)", String(repeating: "x", count: 300_000)]) }
        for block in blocks { try spool.append(block) }
        #expect(folder.spool.count == 3 && spool.size == blocks.map(\.bytes.count).reduce(0, +))
        for expected in blocks {
            let next = spool.first()
            let found = try #require(next)
            #expect(found.bytes == expected.bytes)
            spool.remove(found)
        }
        let none = spool.first()
        #expect(none?.bytes == nil && spool.isEmpty && spool.size == 0 && folder.spool.isEmpty)
        try spool.append(blocks[0])
        let again = spool.first()
        #expect(again?.bytes == blocks[0].bytes)
        try spool.removeAll()
        #expect(folder.spool.isEmpty && spool.isEmpty)
    }

    @Test("a torn end of a spool is dropped, and what comes after it is not")
    func tornTail() throws {
        let folder = try Folder()
        var spool = LogSpool(beside: folder.database.path)
        try spool.append(block(["whole"]))
        try spool.append(block(["torn"]))
        spool.closeFiles()
        let path = try #require(folder.spool.first)
        let bytes = folder.bytes(path)
        for cut in [1, 10, 30, 40] {
            try Data(bytes.dropLast(cut)).write(to: URL(fileURLWithPath: path))
            var again = LogSpool(beside: folder.database.path)
            try again.append(block(["later"]))
            for expected in ["whole", "later"] {
                let next = again.first()
                let found = try #require(next)
                #expect(found.bytes.count == block([expected]).bytes.count)
                again.remove(found)
            }
            #expect(again.isEmpty && again.size == 0 && folder.spool.isEmpty)
        }
        // Zeros are what a machine's end may leave.
        for content in [[UInt8](repeating: 0, count: 5000), [], Array("no spool".utf8)] {
            try Data(content).write(to: URL(fileURLWithPath: path))
            var again = LogSpool(beside: folder.database.path)
            let none = again.first()
            #expect(none?.bytes == nil && again.size == 0 && folder.spool.isEmpty)
        }
    }

    @Test("a spool that cannot be written refuses a block and keeps those before")
    func spoolRefuses() throws {
        let folder = try Folder()
        var spool = LogSpool(beside: "\(folder.path)/missing/auxiliary.db")
        let block = block(["a"])
        #expect(throws: FileError.self) { try spool.append(block) }
        #expect(spool.isEmpty && spool.size == 0)
    }

    // MARK: - The writer

    @Test("an idle server inserts lines, without a spool")
    func direct() throws {
        let folder = try Folder()
        let writer = try folder.writer()
        defer { writer.stop() }
        for number in 0..<120 { writer.write(.info, "line \(number)") }
        writer.flush()
        #expect(try folder.messages == (0..<120).map { "line \($0)" })
        #expect(folder.spool.isEmpty)
        writer.write(.info, "by itself")
        #expect(try wait { try folder.messages.count == 121 })
    }

    @Test("a busy server spools lines, and inserts them in their order when somebody reads")
    func busy() throws {
        let folder = try Folder()
        let writer = try folder.writer(busy: true)
        defer { writer.stop() }
        let long = String(repeating: "x", count: 10_000)
        for number in 0..<100 { writer.write(.info, "line \(number)", ["long": .string(long)]) }
        #expect(wait { !folder.spool.isEmpty })
        #expect(try folder.messages.isEmpty)
        writer.flush(seconds: 10)
        #expect(try folder.messages == (0..<100).map { "line \($0)" })
        #expect(folder.spool.isEmpty)
    }

    @Test("what is in the spool at the start is inserted once, before what comes later")
    func reopened() throws {
        let folder = try Folder()
        let blocks = [block((0..<70).map { "\($0)" }), block((70..<130).map { "\($0)" })]
        // A process that died had inserted the first, and part of nothing else.
        var spool = LogSpool(beside: folder.database.path)
        for block in blocks { try spool.append(block) }
        spool.closeFiles()
        try folder.database.writeAndWait { try LogTable.insert(blocks[0], keeping: { _ in true }, $0.connection) }
        let writer = try folder.writer()
        defer { writer.stop() }
        writer.write(.info, "later")
        writer.flush(seconds: 10)
        #expect(try folder.messages == (0..<130).map { "\($0)" } + ["later"])
        #expect(folder.spool.isEmpty)
    }

    @Test("stopping leaves nothing in memory, and what there is no time for in the spool")
    func stopped() throws {
        let folder = try Folder()
        let first = try folder.writer(busy: true)
        for number in 0..<10 { first.write(.info, "\(number)") }
        first.stop()
        #expect(try folder.messages.count == 10 && folder.spool.isEmpty)
        // Another process has the database for longer than a stop may take.
        let other = try Connection(path: folder.database.path, access: .readWrite(create: false))
        try other.execute("BEGIN IMMEDIATE")
        let second = try folder.writer(busy: true)
        let long = String(repeating: "x", count: 10_000)
        for number in 0..<100 { second.write(.info, "more \(number)", ["long": .string(long)]) }
        #expect(wait { !folder.spool.isEmpty })
        second.stop()
        #expect(!folder.spool.isEmpty)
        try other.execute("ROLLBACK")
        other.close()
        let third = try folder.writer()
        defer { third.stop() }
        third.flush(seconds: 10)
        #expect(try folder.messages.count == 110 && Set(folder.messages).count == 110)
        #expect(folder.spool.isEmpty)
    }

    @Test("clearing removes what waits too, and what comes after stays")
    func cleared() throws {
        let folder = try Folder()
        let writer = try folder.writer(busy: true)
        defer { writer.stop() }
        let long = String(repeating: "x", count: 10_000)
        for _ in 0..<100 { writer.write(.info, "old", ["long": .string(long)]) }
        #expect(wait { !folder.spool.isEmpty })
        try writer.clear()
        #expect(folder.spool.isEmpty)
        writer.write(.info, "new")
        writer.flush(seconds: 10)
        #expect(try folder.messages == ["new"])
    }

    @Test("lines that wait are judged by the settings of when they are inserted")
    func judgedLate() throws {
        let folder = try Folder()
        var spool = LogSpool(beside: folder.database.path)
        try spool.append(block(["too old"], at: (Timestamp.unixSeconds() - 3 * 86400) * 1000))
        try spool.append(block(["recent"]))
        spool.closeFiles()
        let writer = try folder.writer(.init(maxDays: 2), busy: true)
        defer { writer.stop() }
        writer.write(.info, "info")
        writer.write(.error, "error")
        writer.flush(seconds: 10)
        #expect(try folder.messages == ["recent", "info", "error"])
        writer.write(.info, "info 2")
        writer.write(.error, "error 2")
        writer.options = .init(maxDays: 2, minLevel: 4)
        writer.settingsChanged()
        writer.flush(seconds: 10)
        #expect(try folder.messages == ["error", "error 2"])
        writer.options = .init(maxDays: 0)
        writer.settingsChanged()
        writer.write(.error, "error 3")
        writer.flush(seconds: 10)
        #expect(try wait { try folder.messages.isEmpty })
    }

    @Test("days beyond all times keep everything")
    func endlessDays() throws {
        let folder = try Folder()
        let writer = try folder.writer(.init(maxDays: 9_007_199_254_740_991))
        defer { writer.stop() }
        writer.write(.info, "kept")
        writer.flush(seconds: 10)
        try writer.deleteOld()
        #expect(try folder.messages == ["kept"])
    }

    @Test("a database that is held up keeps no line in memory")
    func heldUp() throws {
        let folder = try Folder()
        let other = try Connection(path: folder.database.path, access: .readWrite(create: false))
        try other.execute("BEGIN IMMEDIATE")
        let writer = try folder.writer()
        defer { writer.stop() }
        let long = String(repeating: "x", count: 10_000)
        for number in 0..<3000 {
            writer.write(.info, "\(number)", ["long": .string(long)])
            // As fast as lines are spooled.
            if number % 100 == 99 { #expect(wait { folder.spoolSize > number * 10_000 - 8_000_000 }) }
        }
        #expect(wait { folder.spoolSize > 28_000_000 })
        try other.execute("ROLLBACK")
        other.close()
        writer.flush(seconds: 30)
        let found = try folder.messages
        #expect(found.count == 3000 && found == (0..<3000).map { "\($0)" }, "\(found.count) \(found.suffix(3))")
        #expect(writer.dropped == 0)
    }

    @Test("what the database does not take for good is dropped, counted and told")
    func droppedForGood() throws {
        let folder = try Folder()
        try folder.database.writeAndWait { try $0.connection.execute("ALTER TABLE _logs RENAME TO hidden") }
        let writer = try folder.writer()
        defer { writer.stop() }
        for number in 0..<5 { writer.write(.info, "\(number)") }
        writer.flush(seconds: 10)
        #expect(writer.dropped == 5 && folder.spool.isEmpty)
        try folder.database.writeAndWait { try $0.connection.execute("ALTER TABLE hidden RENAME TO _logs") }
        writer.write(.info, "taken")
        writer.flush(seconds: 10)
        writer.flush(seconds: 10)
        #expect(try folder.messages == ["taken", "Log lines could not be kept."])
        #expect(writer.dropped == 0)
    }

    @Test("without a spool lines wait in memory until the database takes them")
    func withoutSpool() throws {
        let folder = try Folder()
        let writer = try folder.writer(busy: true, spools: false)
        writer.write(.info, "a")
        writer.stop()
        #expect(try folder.messages == ["a"])
        #expect(folder.spool.isEmpty)
    }

    @Test("a full spool is emptied however busy the server is")
    func fullSpool() throws {
        let folder = try Folder()
        var spool = LogSpool(beside: folder.database.path)
        let large = String(repeating: "x", count: 7 << 20)
        while spool.size <= LogSpool.limit { try spool.append(block([large])) }
        spool.closeFiles()
        let writer = try folder.writer(busy: true)
        defer { writer.stop() }
        #expect(try wait { try folder.messages.count > 0 })
        usleep(300_000)
        let size = folder.spoolSize
        #expect(size <= LogSpool.limit && size > LogSpool.limit / 2)
    }
}

extension LogBlock {
    fileprivate var bytes: [UInt8] { withBytes { Array($0) } }
}
