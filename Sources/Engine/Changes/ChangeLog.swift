import JSON
package import Store
import Synchronization

/// Keeps the last changes of all records in the database that they happened in, so that one is there if and only if the
/// other is. (A file of its own would not do: with write-ahead logs SQLite commits each of several files by itself,
/// sqlite.org/lang_attach.html.)
///
/// The table is made when somebody first wants to resume; until then nothing is kept and nothing is paid for.
///
/// `@unchecked Sendable`: `untilTrim` belongs to the writer's thread, all else is behind its lock or atomic.
package final class ChangeLog: @unchecked Sendable {
    package static let table = "_roost_changes"
    /// Changes that are kept, and for how many seconds.
    package static let capacity: Int64 = 50_000
    package static let maxAge: Int64 = 24 * 60 * 60
    private static let trimInterval = 256

    private let database: Database
    private let bus: ChangeBus
    private let kept = Atomic<Bool>(false)
    private let nameState = Mutex("")
    private var untilTrim = 0

    init(database: Database, bus: ChangeBus) throws {
        self.database = database
        self.bus = bus
        let name = try database.read { connection -> String? in
            let exists = try connection.scalar("SELECT 1 FROM sqlite_schema WHERE name = ?", [.text(Self.table)])
            return exists == nil ? nil : try Self.name(connection)
        }
        if let name {
            nameState.withLock { $0 = name }
            kept.store(true, ordering: .releasing)
        }
    }

    private static func name(_ connection: Connection) throws -> String? {
        try connection.scalar("SELECT data FROM `\(table)` WHERE position = 0")?.textValue
    }

    package var isKept: Bool { kept.load(ordering: .acquiring) }
    /// Another one when positions of before mean nothing any more.
    package var name: String { nameState.withLock { $0 } }

    /// Begins to keep changes, if that is not done already. Waits for the commit.
    package func keep() throws {
        if isKept { return }
        let name = RandomText.make(12)
        let inForce = try database.writeAndWait { transaction -> String in
            let connection = transaction.connection
            try connection.execute(
                """
                CREATE TABLE IF NOT EXISTS `\(Self.table)` (
                  position INTEGER PRIMARY KEY, at INTEGER NOT NULL, action INTEGER NOT NULL, collection TEXT NOT NULL,
                  record TEXT NOT NULL, data TEXT NOT NULL)
                """)
            // On the writer's thread, so that not one change is missed between the commit and this.
            transaction.afterCommit { [self] in
                kept.store(true, ordering: .releasing)
                bus.refresh()
            }
            if let known = try Self.name(connection) { return known }
            try connection.run(
                "INSERT INTO `\(Self.table)` VALUES (0, ?, 0, '', '', ?)",
                [.integer(Timestamp.unixSeconds()), .text(name)])
            return name
        }
        nameState.withLock { $0 = inForce }
    }

    /// Lets go of all that is kept; who wants to resume later finds another log.
    package func forget() throws {
        guard isKept else { return }
        kept.store(false, ordering: .releasing)
        try database.writeAndWait { try $0.connection.execute("DROP TABLE IF EXISTS `\(Self.table)`") }
        bus.refresh()
    }

    /// Adds a change inside its own transaction. The writer's thread.
    /// - Returns: its position; nil when nothing is kept.
    func append(_ change: RecordChange, _ record: Record, in transaction: Transaction) throws -> Int64? {
        guard isKept else { return nil }
        let connection = transaction.connection
        let position = try connection.withStatement(
            "INSERT INTO `\(Self.table)` (at, action, collection, record, data) VALUES (?, ?, ?, ?, ?)"
        ) { statement in
            try statement.bindInt(Timestamp.unixSeconds(), at: 1)
            try statement.bindInt(Int64(change.action.rawValue), at: 2)
            try statement.bindText(change.collectionID, at: 3)
            try statement.bindText(change.recordID, at: 4)
            let data = Self.encode(record)
            try data.withUnsafeBufferPointer { try statement.bindText(utf8: $0, at: 5) }
            _ = try statement.step()
            return connection.lastInsertRowID
        }
        untilTrim -= 1
        if untilTrim <= 0 {
            untilTrim = Self.trimInterval
            try trim(connection, last: position)
        }
        return position
    }

    private func trim(_ connection: Connection, last: Int64) throws {
        try connection.run(
            "DELETE FROM `\(Self.table)` WHERE position > 0 AND position <= ?", [.integer(last - Self.capacity)])
        try connection.run(
            """
            DELETE FROM `\(Self.table)` WHERE position IN (
              SELECT position FROM (SELECT position, at FROM `\(Self.table)` WHERE position > 0 ORDER BY position
              LIMIT \(Self.trimInterval * 2)) WHERE at < ?)
            """, [.integer(Timestamp.unixSeconds() - Self.maxAge)])
    }

    /// The positions of the first and the last change that are there; 0 and 0 when there are none.
    package func bounds(on connection: Connection) throws -> (first: Int64, last: Int64) {
        let row = try connection.firstRow(
            "SELECT (SELECT min(position) FROM `\(Self.table)` WHERE position > 0), max(position) FROM `\(Self.table)`")
        return (row?.first?.intValue ?? 0, row?.last?.intValue ?? 0)
    }

    /// The changes after a position, in order; those of collections that are gone are left out.
    /// - Returns: also the position up to which was read, which is `after` when there is nothing more.
    package func read(
        after: Int64, limit: Int, schema: Schema, on connection: Connection
    ) throws -> (changes: [DetailedChange], end: Int64) {
        var changes: [DetailedChange] = []
        var end = after
        try connection.withStatement(
            """
            SELECT position, action, collection, record, data FROM `\(Self.table)` WHERE position > max(?, 0)
            ORDER BY position LIMIT ?
            """
        ) { statement in
            try statement.bindInt(after, at: 1)
            try statement.bindInt(Int64(limit), at: 2)
            while try statement.step() {
                end = statement.int(0)
                guard let action = RecordChange.Action(rawValue: Int(statement.int(1))),
                    let collection = schema.collection(id: statement.text(2)),
                    let record = Self.decode(statement.utf8(4), of: collection)
                else { continue }
                changes.append(
                    DetailedChange(
                        change: RecordChange(
                            action: action, collectionID: collection.id, recordID: statement.text(3)),
                        record: record, position: end, snapshot: nil, isCascade: false))
            }
        }
        return (changes, end)
    }

    /// The values by the fields' names; a document stands in an array of one text. Passwords and token keys, which
    /// nobody is shown, are left out.
    private static func encode(_ record: Record) -> [UInt8] {
        let collection = record.collection
        var writer = JSONWriter(capacity: 512)
        writer.beginObject()
        for (index, field) in collection.fields.enumerated() {
            if field.shape.form == .secret || collection.isAuth && field.name == "tokenKey" { continue }
            let value = record.values[index]
            if case .null = value { continue }
            writer.key(field.name)
            switch value {
            case .null: writer.writeNull()
            case .bool(let value): writer.bool(value)
            case .number(let value): writer.double(value)
            case .text(let value): writer.string(value)
            case .json(let value):
                writer.beginArray()
                writer.string(value)
                writer.endArray()
            }
        }
        writer.endObject()
        return writer.bytes
    }

    private static func decode(_ bytes: UnsafeBufferPointer<UInt8>, of collection: Collection) -> Record? {
        guard let object = (try? JSONParser.parse(bytes))?.objectValue else { return nil }
        let record = Record(new: collection)
        for (name, value) in object {
            guard let index = collection.index(of: name) else { continue }
            if let document = value.arrayValue?.first?.stringValue {
                record.values[index] = .json(document)
            } else {
                record.values[index] = Value(value)
            }
        }
        return Record(collection: collection, stored: record.values)
    }
}
