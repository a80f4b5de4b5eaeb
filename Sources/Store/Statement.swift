internal import CSQLite

/// A prepared statement, lent by its connection until ``finish()``.
///
/// Parameters are numbered from 1, columns from 0. Used by the thread that has the connection.
///
/// For example:
///
///     let statement = try connection.prepare("SELECT name FROM person WHERE id = ?1")
///     defer { statement.finish() }
///     try statement.bindText("abc", at: 1)
///     while try statement.step() { names.append(statement.text(0)) }
package final class Statement {
    /// The text it was prepared from.
    package let sql: String

    // The connection's cache holds statements, so no strong reference back.
    private unowned let connection: Connection
    private let handle: OpaquePointer
    var isFinished = false
    var lastUse: UInt64 = 0

    init(_ handle: OpaquePointer, sql: String, connection: Connection) {
        self.handle = handle
        self.sql = sql
        self.connection = connection
    }

    deinit { sqlite3_finalize(handle) }

    /// Ends the use: forgets values and position and may be used again.
    package func finish() {
        guard !isFinished else { return }
        isFinished = true
        sqlite3_reset(handle)
        sqlite3_clear_bindings(handle)
    }

    // MARK: Parameters

    /// How many parameters there are: the highest number.
    package var parameterCount: Int { Int(sqlite3_bind_parameter_count(handle)) }

    /// The number of a named parameter, its name with the `:`, `@` or `$`; nil if there is none.
    package func parameterIndex(_ name: String) -> Int? {
        let index = sqlite3_bind_parameter_index(handle, name)
        return index == 0 ? nil : Int(index)
    }

    /// The name of a parameter with its `:`, `@` or `$`; nil if it has none.
    package func parameterName(_ index: Int) -> String? {
        sqlite3_bind_parameter_name(handle, Int32(clamping: index)).map { String(cString: $0) }
    }

    /// Binds values to the parameters 1, 2, …
    ///
    /// - Throws: misuse if there are more values than parameters.
    package func bind(_ values: [SQLValue]) throws(StoreError) {
        for (offset, value) in values.enumerated() { try bind(value, at: offset + 1) }
    }

    /// Binds a value to a parameter.
    package func bind(_ value: SQLValue, at index: Int) throws(StoreError) {
        switch value {
        case .null: try bindNull(at: index)
        case .integer(let value): try bindInt(value, at: index)
        case .real(let value): try bindDouble(value, at: index)
        case .text(let value): try bindText(value, at: index)
        case .blob(let value): try bindBlob(value, at: index)
        }
    }

    package func bindNull(at index: Int) throws(StoreError) {
        try check(sqlite3_bind_null(handle, Int32(clamping: index)))
    }

    package func bindInt(_ value: Int64, at index: Int) throws(StoreError) {
        try check(sqlite3_bind_int64(handle, Int32(clamping: index), value))
    }

    package func bindDouble(_ value: Double, at index: Int) throws(StoreError) {
        try check(sqlite3_bind_double(handle, Int32(clamping: index), value))
    }

    /// Binds a text; SQLite copies it.
    package func bindText(_ value: String, at index: Int) throws(StoreError) {
        var value = value
        let code = value.withUTF8 { bindTextCode($0, at: index) }
        try check(code)
    }

    /// Binds a text of UTF-8 bytes; SQLite copies it.
    package func bindText(utf8: UnsafeBufferPointer<UInt8>, at index: Int) throws(StoreError) {
        try check(bindTextCode(utf8, at: index))
    }

    /// Binds bytes; SQLite copies them.
    package func bindBlob(_ value: [UInt8], at index: Int) throws(StoreError) {
        let code = value.withUnsafeBytes { bytes in
            // A null pointer would bind NULL.
            bytes.isEmpty
                ? sqlite3_bind_zeroblob(handle, Int32(clamping: index), 0)
                : sqlite3_bind_blob64(
                    handle, Int32(clamping: index), bytes.baseAddress, UInt64(bytes.count), roost_sqlite_transient())
        }
        try check(code)
    }

    private func bindTextCode(_ utf8: UnsafeBufferPointer<UInt8>, at index: Int) -> Int32 {
        // A null pointer would bind NULL.
        guard let base = utf8.baseAddress, utf8.count > 0 else {
            return sqlite3_bind_text64(
                handle, Int32(clamping: index), "", 0, roost_sqlite_transient(), UInt8(SQLITE_UTF8))
        }
        return base.withMemoryRebound(to: CChar.self, capacity: utf8.count) {
            sqlite3_bind_text64(
                handle, Int32(clamping: index), $0, UInt64(utf8.count), roost_sqlite_transient(), UInt8(SQLITE_UTF8))
        }
    }

    @inline(__always)
    private func check(_ code: Int32) throws(StoreError) {
        if code != SQLITE_OK { throw connection.error(code, sql: sql) }
    }

    // MARK: Running

    /// Goes to the next row; false when there is none. After an error or the end, the next step starts anew.
    package func step() throws(StoreError) -> Bool {
        if isFinished { throw StoreError.misuse("the statement was given back", sql: sql) }
        let code = sqlite3_step(handle)
        if code == SQLITE_ROW { return true }
        if code == SQLITE_DONE { return false }
        let failure = connection.error(code, sql: sql)
        sqlite3_reset(handle)
        throw failure
    }

    /// Back to the start, with the values bound kept.
    package func reset() { sqlite3_reset(handle) }

    /// Unbinds all values.
    package func clearBindings() { sqlite3_clear_bindings(handle) }

    /// Whether it makes no direct change to the file.
    package var isReadOnly: Bool { sqlite3_stmt_readonly(handle) != 0 }

    // MARK: Columns

    /// How many columns a row has; 0 if it gives no rows.
    package var columnCount: Int { Int(sqlite3_column_count(handle)) }

    /// The name of a column.
    package func columnName(_ index: Int) -> String {
        sqlite3_column_name(handle, Int32(truncatingIfNeeded: index)).map { String(cString: $0) } ?? ""
    }

    /// The names of all columns.
    package var columnNames: [String] { (0..<columnCount).map { columnName($0) } }

    /// The type a column was declared with; nil for expressions.
    package func columnDeclaredType(_ index: Int) -> String? {
        sqlite3_column_decltype(handle, Int32(truncatingIfNeeded: index)).map { String(cString: $0) }
    }

    /// The table a column comes from; nil for expressions.
    package func columnTableName(_ index: Int) -> String? {
        sqlite3_column_table_name(handle, Int32(truncatingIfNeeded: index)).map { String(cString: $0) }
    }

    /// The name a column has in its table; nil for expressions.
    package func columnOriginName(_ index: Int) -> String? {
        sqlite3_column_origin_name(handle, Int32(truncatingIfNeeded: index)).map { String(cString: $0) }
    }

    /// What a column of the row holds.
    package enum ValueType: Int32, Sendable {
        case integer = 1
        case real = 2
        case text = 3
        case blob = 4
        case null = 5
    }

    /// What a column of the row holds. Ask before reading it: reading may convert.
    package func type(_ index: Int) -> ValueType {
        ValueType(rawValue: sqlite3_column_type(handle, Int32(truncatingIfNeeded: index))) ?? .null
    }

    package func isNull(_ index: Int) -> Bool {
        sqlite3_column_type(handle, Int32(truncatingIfNeeded: index)) == SQLITE_NULL
    }

    /// The column as an integer, converted as SQLite's CAST does.
    package func int(_ index: Int) -> Int64 { sqlite3_column_int64(handle, Int32(truncatingIfNeeded: index)) }

    /// The column as a double, converted as SQLite's CAST does.
    package func double(_ index: Int) -> Double { sqlite3_column_double(handle, Int32(truncatingIfNeeded: index)) }

    /// The column as text; invalid UTF-8 is repaired, NULL is "".
    package func text(_ index: Int) -> String { String(decoding: utf8(index), as: UTF8.self) }

    /// The bytes of the column as text, not checked to be UTF-8; valid until the next step, reset or finish.
    package func utf8(_ index: Int) -> UnsafeBufferPointer<UInt8> {
        let index = Int32(truncatingIfNeeded: index)
        // The text first: asking for it may change the length.
        guard let text = sqlite3_column_text(handle, index) else { return UnsafeBufferPointer(start: nil, count: 0) }
        return UnsafeBufferPointer(start: text, count: Int(sqlite3_column_bytes(handle, index)))
    }

    /// The bytes of the column as a blob; valid until the next step, reset or finish.
    package func bytes(_ index: Int) -> UnsafeRawBufferPointer {
        let index = Int32(truncatingIfNeeded: index)
        guard let blob = sqlite3_column_blob(handle, index) else { return UnsafeRawBufferPointer(start: nil, count: 0) }
        return UnsafeRawBufferPointer(start: blob, count: Int(sqlite3_column_bytes(handle, index)))
    }

    /// The column as it is stored.
    package func value(_ index: Int) -> SQLValue {
        switch type(index) {
        case .null: .null
        case .integer: .integer(int(index))
        case .real: .real(double(index))
        case .text: .text(text(index))
        case .blob: .blob(Array(bytes(index)))
        }
    }

    /// All columns of the row.
    package func row() -> [SQLValue] { (0..<columnCount).map { value($0) } }
}
