import JSON
package import Store

/// What a view's query would give, tried out without keeping anything.
package struct ViewDryRun {
    /// The collection that the query would make, under a temporary name.
    package let collection: Collection
    /// The statement whose rows are the sample's records.
    package let sampleQuery: String

    /// Finds the fields of a query and looks at its first rows.
    ///
    /// - Parameters:
    ///   - sampleSize: how many rows are looked at for ids that are empty or not unique.
    ///   - connection: inside a write transaction, since a temporary view is made and dropped.
    package init(
        _ query: String, sampleSize: Int, schema: Schema, environment: SchemaEnvironment, connection: Connection
    ) throws(CollectionError) {
        do {
            let types = environment.types
            let builder = ViewBuilder(connection: connection, types: types, schema: schema)
            let query = try ViewBuilder.single(query)
            let name = "temp_view_" + RandomText.make(5)
            var draft = CollectionDraft(type: "view", name: name, types: types)
            draft.viewQuery = query
            draft.fields = try builder.fields(of: query)
            let collection = draft.compiled(types)
            let checker = FieldChecker(collection: collection, original: nil, schema: schema, types: types)
            for (index, field) in collection.fields.enumerated() {
                let failures = checker.failures(of: field)
                if failures.isEmpty { continue }
                let text = FailureText.line(.nested(failures))
                throw CollectionError.refused("invalid field \(GoQuote.quote(field.name)) (\(index)): \(text)")
            }
            let textual: String
            do {
                textual = try builder.withTextID(query)
            } catch {
                throw CollectionError.refused("failed to normalize view query id: \(CollectionError(error).text)")
            }
            self.collection = collection
            sampleQuery =
                "SELECT \(SQLName.quote(name)).* FROM (SELECT * FROM (\(ViewBuilder.unbraced(textual)))) "
                + "\(SQLName.quote(name)) LIMIT \(sampleSize)"
            // The writer waits for this, and with it every other write.
            let deadline = Timestamp.monotonic() &+ environment.queryTimeout
            do {
                try connection.withBudget(deadline: deadline) { try Self.checkIDs(sampleQuery, connection) }
            } catch let error as StoreError where error.isDeadlineExceeded {
                throw CollectionError.refused("the query takes too long")
            }
        } catch {
            throw CollectionError(error)
        }
    }

    private static func checkIDs(_ query: String, _ connection: Connection) throws {
        let statement: Statement
        do {
            statement = try connection.prepare(query, cached: false)
        } catch {
            throw CollectionError.refused(
                "failed to retrieve query records: \(error.sqliteText); failed query: \(query)"
            )
        }
        defer { statement.finish() }
        let column = statement.columnNames.firstIndex(of: "id") ?? 0
        var ids: Set<String> = []
        while try statement.step() {
            let id = statement.text(column)
            if id.isEmpty { throw CollectionError.refused("the query could return records with empty or invalid ids") }
            if !ids.insert(id).inserted {
                throw CollectionError.refused("the query could return records with non-unique ids")
            }
        }
    }
}
