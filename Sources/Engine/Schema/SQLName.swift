import Store

/// Names inside SQL text.
enum SQLName {
    /// A name in backticks, as all of PocketBase's statements have it.
    static func quote(_ name: String) -> String { "`" + name.replacingAll("`", with: "``") + "`" }
}

extension Connection {
    /// Runs a body inside a savepoint: when it throws, everything it did is undone.
    func undoingOnError<T>(_ body: () throws -> T) throws -> T {
        try execute("SAVEPOINT roost_schema")
        do {
            let result = try body()
            try execute("RELEASE roost_schema")
            return result
        } catch {
            // When the whole transaction is gone already there is nothing left to undo.
            if isInTransaction { try execute("ROLLBACK TO roost_schema; RELEASE roost_schema") }
            throw error
        }
    }

    /// Runs text that a client had a part in: one statement, and whatever else it holds is an error.
    func executeSingle(_ sql: String) throws(StoreError) {
        let statement = try prepare(sql, cached: false)
        defer { statement.finish() }
        while try statement.step() {}
    }

    /// Whether a table or view of that name exists, in any case.
    func hasTable(_ name: String) throws(StoreError) -> Bool {
        try firstRow(
            "SELECT 1 FROM sqlite_schema WHERE type IN ('table', 'view') AND LOWER(name) = LOWER(?1) LIMIT 1",
            [.text(name)]
        ) != nil
    }
}
