internal import CSQLite

/// A failure of the store: what SQLite answered, or a refusal of our own, told apart by ``kind``.
package struct StoreError: Error, Sendable, CustomStringConvertible {
    /// Who failed.
    package enum Kind: Sendable, Equatable {
        /// SQLite answered with ``StoreError/code``.
        case sqlite
        /// The statement used more time than `withBudget` allowed it.
        case budgetExceeded
        /// The deadline of the query has passed.
        case deadlineExceeded
        /// The writer's queue is full, or no reader became free in time.
        case overloaded
        /// The database is closed.
        case closed
        /// The whole transaction was rolled back under the job, by SQLite or because of another job in it.
        case transactionLost
        /// The file is not a sound SQLite database; it was not touched.
        case unusableFile
        /// A call that the contract does not allow.
        case misuse
    }

    /// Who failed.
    package let kind: Kind

    /// SQLite's extended result code; for other kinds the nearest one.
    package let code: Int32

    /// What SQLite or the store says about it. Not made for users.
    package let message: String

    /// The statement that failed, if it was one.
    package let sql: String?

    package init(kind: Kind = .sqlite, code: Int32, message: String, sql: String? = nil) {
        self.kind = kind
        self.code = code
        self.message = message
        self.sql = sql
    }

    package var description: String {
        "\(message) (\(kind == .sqlite ? "SQLite \(code)" : "\(kind)"))" + (sql.map { " in: \($0)" } ?? "")
    }

    /// The result code without its extension.
    package var primaryCode: Int32 { code & 0xFF }
}

extension StoreError {
    /// Another connection holds the lock.
    package var isBusy: Bool { isSQLite(SQLITE_BUSY) || isSQLite(SQLITE_LOCKED) }
    /// The disk or the database's page limit is full.
    package var isFull: Bool { isSQLite(SQLITE_FULL) }
    /// The file or the connection does not allow writing.
    package var isReadOnly: Bool { isSQLite(SQLITE_READONLY) }
    /// The file is damaged or no database.
    package var isCorrupt: Bool { primaryCode == SQLITE_CORRUPT || primaryCode == SQLITE_NOTADB }
    /// Someone interrupted the statement; a budget or deadline that ran out is not meant.
    package var isInterrupted: Bool { isSQLite(SQLITE_INTERRUPT) }
    /// Reading or writing the file failed.
    package var isIOError: Bool { isSQLite(SQLITE_IOERR) }
    /// Any constraint was violated.
    package var isConstraint: Bool { isSQLite(SQLITE_CONSTRAINT) }
    /// A unique index or primary key already has the value.
    package var isUniqueConstraint: Bool {
        code == SQLITE_CONSTRAINT | 8 << 8 || code == SQLITE_CONSTRAINT | 6 << 8 || code == SQLITE_CONSTRAINT | 10 << 8
    }
    /// A NOT NULL column got null.
    package var isNotNullConstraint: Bool { code == SQLITE_CONSTRAINT | 5 << 8 }
    /// A foreign key has no parent.
    package var isForeignKeyConstraint: Bool { code == SQLITE_CONSTRAINT | 3 << 8 }
    /// A CHECK failed.
    package var isCheckConstraint: Bool { code == SQLITE_CONSTRAINT | 1 << 8 }
    /// The budget ran out.
    package var isBudgetExceeded: Bool { kind == .budgetExceeded }
    /// The deadline has passed.
    package var isDeadlineExceeded: Bool { kind == .deadlineExceeded }
    /// Too much is waiting.
    package var isOverloaded: Bool { kind == .overloaded }
    /// The database is closed.
    package var isClosed: Bool { kind == .closed }
    /// Whether the same may succeed later: the fault is that of the disk, the memory or somebody's lock, not of what was
    /// asked for or of the file.
    package var mayPass: Bool {
        if isClosed || isOverloaded { return true }
        return [
            SQLITE_BUSY, SQLITE_LOCKED, SQLITE_NOMEM, SQLITE_READONLY, SQLITE_INTERRUPT, SQLITE_IOERR, SQLITE_FULL,
            SQLITE_CANTOPEN, SQLITE_PROTOCOL, SQLITE_ABORT,
        ].contains(primaryCode)
    }

    private func isSQLite(_ primary: Int32) -> Bool { kind == .sqlite && primaryCode == primary }

    /// The columns of the violated unique constraint, in the index's order; empty if this is another error or the
    /// index is on expressions (see ``uniqueIndex``).
    package var uniqueColumns: [(table: String, column: String)] {
        guard let list = uniqueConstraintText, !list.hasPrefix("index '") else { return [] }
        var result: [(table: String, column: String)] = []
        for part in split(list) {
            guard let dot = part.firstIndex(of: ".") else { return [] }
            result.append((String(part[..<dot]), String(part[part.index(after: dot)...])))
        }
        return result
    }

    /// The name of the violated unique index on expressions; nil otherwise.
    package var uniqueIndex: String? {
        guard let text = uniqueConstraintText, text.hasPrefix("index '"), text.hasSuffix("'") else { return nil }
        return String(text.dropFirst(7).dropLast())
    }

    private var uniqueConstraintText: Substring? {
        let prefix = "UNIQUE constraint failed: "
        guard kind == .sqlite, message.hasPrefix(prefix) else { return nil }
        return message.dropFirst(prefix.count)
    }

    /// Splits at ", ".
    private func split(_ list: Substring) -> [Substring] {
        var parts: [Substring] = []
        var start = list.startIndex
        var index = start
        while index < list.endIndex {
            if list[index...].hasPrefix(", ") {
                parts.append(list[start..<index])
                index = list.index(index, offsetBy: 2)
                start = index
            } else {
                index = list.index(after: index)
            }
        }
        parts.append(list[start...])
        return parts
    }
}

extension StoreError {
    static func misuse(_ message: String, sql: String? = nil) -> StoreError {
        StoreError(kind: .misuse, code: SQLITE_MISUSE, message: message, sql: sql)
    }

    package static let closed = StoreError(kind: .closed, code: SQLITE_MISUSE, message: "the database is closed")

    static func overloaded(_ message: String) -> StoreError {
        StoreError(kind: .overloaded, code: SQLITE_BUSY, message: message)
    }

    static func unusable(_ path: String, _ reason: String, code: Int32 = SQLITE_NOTADB) -> StoreError {
        StoreError(kind: .unusableFile, code: code, message: "\(path): \(reason)")
    }

    static func transactionLost(because cause: (any Error)?) -> StoreError {
        let reason = cause.map { ": \($0)" } ?? ""
        let code = (cause as? StoreError)?.code ?? SQLITE_ABORT
        return StoreError(kind: .transactionLost, code: code, message: "the transaction was rolled back\(reason)")
    }
}
