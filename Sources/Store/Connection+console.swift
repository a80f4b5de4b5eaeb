internal import CSQLite
internal import Glibc

/// What statements of a person gave.
package struct ConsoleResult: Sendable {
    package struct Column: Sendable {
        package var name: String
        /// As declared, in capitals; empty for what is computed.
        package var type: String
    }
    /// Of the last statement.
    package var columns: [Column] = []
    /// Values as texts; nil is null.
    package var rows: [[String?]] = []
    /// Rows that the last INSERT, UPDATE or DELETE changed.
    package var affectedRows = 0

    package init() {}
}

extension Connection {
    /// Whether all statements of a text only read. One that cannot be compiled counts as one that does not.
    package func onlyReads(_ script: String) -> Bool {
        var reads = true
        do {
            try forEachStatement(script) { statement in
                if sqlite3_stmt_readonly(statement) == 0 { reads = false }
            }
        } catch { return false }
        return reads
    }

    /// Runs the statements of a text, as typed by a person.
    ///
    /// What would change the connection for those who use it afterwards is refused: transactions, attached databases,
    /// temporary tables, which would stand before others of their names, and pragmas that set anything but a number in
    /// the file's header.
    ///
    /// - Parameter maxRows: rows of the last statement that are kept; it is stopped then.
    /// - Throws: what SQLite answers to the first statement that fails.
    package func runConsole(_ script: String, maxRows: Int) throws(StoreError) -> ConsoleResult {
        var result = ConsoleResult()
        sqlite3_set_authorizer(
            handle, { _, action, first, second, base, _ in Connection.authorize(action, first, second, base) }, nil)
        defer { sqlite3_set_authorizer(handle, nil, nil) }
        try forEachStatement(script) { (statement) throws(StoreError) in
            let before = sqlite3_total_changes64(handle)
            result.columns = Self.columns(of: statement)
            result.rows = []
            while true {
                let code = sqlite3_step(statement)
                if code == SQLITE_DONE { break }
                guard code == SQLITE_ROW else { throw error(code, sql: script) }
                if result.rows.count >= maxRows { break }
                result.rows.append(Self.row(of: statement))
            }
            if sqlite3_total_changes64(handle) != before { result.affectedRows = Int(sqlite3_changes64(handle)) }
        }
        return result
    }

    /// Compiles the statements of a text one after the other, each when the one before was handled.
    private func forEachStatement(
        _ script: String, _ body: (OpaquePointer) throws(StoreError) -> Void
    ) throws(StoreError) {
        let text = Array(script.utf8) + [0]
        var failure: StoreError?
        text.withUnsafeBufferPointer { text in
            text.withMemoryRebound(to: CChar.self) { characters in
                var next = characters.baseAddress
                while let current = next, current.pointee != 0, failure == nil {
                    var statement: OpaquePointer?
                    let code = sqlite3_prepare_v3(handle, current, -1, 0, &statement, &next)
                    guard code == SQLITE_OK else {
                        failure = error(code, sql: script)
                        return
                    }
                    guard let statement else { continue }
                    defer { sqlite3_finalize(statement) }
                    do throws(StoreError) { try body(statement) } catch { failure = error }
                }
            }
        }
        if let failure { throw failure }
    }

    private static func columns(of statement: OpaquePointer) -> [ConsoleResult.Column] {
        (0..<sqlite3_column_count(statement)).map { index in
            let name = sqlite3_column_name(statement, index).map { String(cString: $0) } ?? ""
            let type = sqlite3_column_decltype(statement, index).map { String(cString: $0) } ?? ""
            return ConsoleResult.Column(name: name, type: type.uppercased())
        }
    }

    private static func row(of statement: OpaquePointer) -> [String?] {
        (0..<sqlite3_column_count(statement)).map { column in
            switch sqlite3_column_type(statement, column) {
            case SQLITE_NULL: return nil
            case SQLITE_INTEGER: return String(sqlite3_column_int64(statement, column))
            case SQLITE_FLOAT: return shortest(sqlite3_column_double(statement, column))
            default:
                let count = Int(sqlite3_column_bytes(statement, column))
                guard let bytes = sqlite3_column_blob(statement, column) else { return "" }
                return String(decoding: UnsafeRawBufferPointer(start: bytes, count: count), as: UTF8.self)
            }
        }
    }

    /// As Go prints a float with its shortest digits (`strconv.FormatFloat(value, 'g', -1, 64)`).
    private static func shortest(_ value: Double) -> String {
        for digits in 0..<17 {
            let text = formatted("%.*e", digits, value)
            guard strtod(text, nil) == value, let mark = text.lastIndex(of: "e"),
                let exponent = Int(text[text.index(after: mark)...])
            else { continue }
            return (-4..<6).contains(exponent) ? formatted("%.*f", max(0, digits - exponent), value) : text
        }
        return "\(value)"
    }

    private static func formatted(_ format: String, _ digits: Int, _ value: Double) -> String {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: 64) { buffer in
            _ = withVaList([Int32(digits), value]) { vsnprintf(buffer.baseAddress, 64, format, $0) }
            return buffer.baseAddress.map { String(cString: $0) } ?? ""
        }
    }

    private static let readingPragmas: Set<String> = [
        "table_info", "table_xinfo", "table_list", "index_list", "index_info", "index_xinfo", "foreign_key_list",
        "foreign_key_check", "integrity_check", "quick_check", "user_version", "application_id",
    ]
    private static let workingPragmas: Set<String> = ["wal_checkpoint", "incremental_vacuum", "shrink_memory"]

    private static func authorize(
        _ action: Int32, _ first: UnsafePointer<CChar>?, _ second: UnsafePointer<CChar>?, _ base: UnsafePointer<CChar>?
    ) -> Int32 {
        switch action {
        case SQLITE_CREATE_TEMP_TABLE, SQLITE_CREATE_TEMP_VIEW, SQLITE_CREATE_TEMP_TRIGGER, SQLITE_CREATE_TEMP_INDEX:
            return SQLITE_DENY
        case SQLITE_CREATE_TABLE, SQLITE_CREATE_VIEW, SQLITE_CREATE_TRIGGER, SQLITE_CREATE_INDEX, SQLITE_CREATE_VTABLE:
            // Also written with its name in front.
            return base.map { strcasecmp($0, "temp") == 0 } == true ? SQLITE_DENY : SQLITE_OK
        case SQLITE_TRANSACTION, SQLITE_SAVEPOINT, SQLITE_ATTACH, SQLITE_DETACH: return SQLITE_DENY
        case SQLITE_PRAGMA:
            let name = first.map { String(cString: $0).lowercased() } ?? ""
            if readingPragmas.contains(name) { return SQLITE_OK }
            return second == nil && !workingPragmas.contains(name) ? SQLITE_OK : SQLITE_DENY
        default: return SQLITE_OK
        }
    }
}

extension StoreError {
    /// The error as SQLite's drivers for Go write it: the kind, the words, the number.
    package var consoleText: String {
        guard code != 0, let kind = sqlite3_errstr(code & 0xFF) else { return description }
        return "\(String(cString: kind)): \(message) (\(code))"
    }
}

extension Database {
    /// Runs a body with a reading connection of its own, which is closed afterwards, so that nothing done to it stays.
    package func readApart<T>(deadline seconds: UInt64, _ body: (Connection) throws -> T) throws -> T {
        let connection = try Connection(path: path, access: .readOnly)
        defer { connection.close() }
        try configuration.prepareConnection?(connection)
        return try connection.withBudget(deadline: monotonicNanoseconds() &+ seconds * 1_000_000_000) {
            try body(connection)
        }
    }
}
