internal import CSQLite

extension Connection {
    /// Adds a scalar function to SQL on this connection, or replaces the one of that name and number of arguments.
    ///
    /// - Parameters:
    ///   - name: its name.
    ///   - argumentCount: how many arguments it takes; -1 for any number.
    ///   - isDeterministic: whether equal arguments always give the same result.
    ///   - isForStatementsOnly: whether views, triggers, indexes and generated columns cannot name it.
    ///   - body: computes the result on the thread that runs the statement; what it throws fails the statement.
    package func createFunction(
        _ name: String, argumentCount: Int, isDeterministic: Bool = true, isForStatementsOnly: Bool = false,
        _ body: @escaping @Sendable ([SQLValue]) throws -> SQLValue
    ) throws(StoreError) {
        let flags =
            SQLITE_UTF8 | (isDeterministic ? SQLITE_DETERMINISTIC : 0) | (isForStatementsOnly ? SQLITE_DIRECTONLY : 0)
        let context = Unmanaged.passRetained(FunctionBox(body)).toOpaque()
        // SQLite calls the destructor when this fails too.
        let code = sqlite3_create_function_v2(
            handle, name, Int32(clamping: argumentCount), flags, context,
            { context, count, arguments in
                guard let context, let data = sqlite3_user_data(context) else { return }
                let box = Unmanaged<FunctionBox>.fromOpaque(data).takeUnretainedValue()
                do {
                    let values = (0..<Int(count)).map { sqlValue(arguments?[$0]) }
                    setResult(context, try box.body(values))
                } catch {
                    sqlite3_result_error(context, "\(error)", -1)
                }
            }, nil, nil, { data in data.map { Unmanaged<FunctionBox>.fromOpaque($0).release() } })
        guard code == SQLITE_OK else { throw error(code, sql: nil) }
    }
}

private final class FunctionBox: Sendable {
    let body: @Sendable ([SQLValue]) throws -> SQLValue
    init(_ body: @escaping @Sendable ([SQLValue]) throws -> SQLValue) { self.body = body }
}

private func sqlValue(_ value: OpaquePointer?) -> SQLValue {
    switch sqlite3_value_type(value) {
    case SQLITE_INTEGER:
        return .integer(sqlite3_value_int64(value))
    case SQLITE_FLOAT:
        return .real(sqlite3_value_double(value))
    case SQLITE_TEXT:
        let text = sqlite3_value_text(value)
        return .text(
            String(decoding: UnsafeBufferPointer(start: text, count: Int(sqlite3_value_bytes(value))), as: UTF8.self))
    case SQLITE_BLOB:
        let blob = sqlite3_value_blob(value)
        return .blob(Array(UnsafeRawBufferPointer(start: blob, count: Int(sqlite3_value_bytes(value)))))
    default:
        return .null
    }
}

private func setResult(_ context: OpaquePointer, _ value: SQLValue) {
    switch value {
    case .null: sqlite3_result_null(context)
    case .integer(let value): sqlite3_result_int64(context, value)
    case .real(let value): sqlite3_result_double(context, value)
    case .text(var value):
        value.withUTF8 { utf8 in
            utf8.withMemoryRebound(to: CChar.self) {
                sqlite3_result_text64(
                    context, $0.baseAddress, UInt64($0.count), roost_sqlite_transient(), UInt8(SQLITE_UTF8))
            }
        }
    case .blob(let value):
        // A null pointer would give NULL.
        if value.isEmpty { return sqlite3_result_zeroblob(context, 0) }
        value.withUnsafeBytes {
            sqlite3_result_blob64(context, $0.baseAddress, UInt64($0.count), roost_sqlite_transient())
        }
    }
}
