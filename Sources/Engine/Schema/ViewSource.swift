import JSON

/// Where a column of a view comes from.
package struct ViewSource {
    /// A collection that is no view.
    package let collection: Collection
    package let field: Field

    /// Follows a field of a view to the field of a table that it shows, through other views if need be.
    ///
    /// Files of views are served so: the file belongs to the record of the table.
    ///
    /// - Returns: nil when the column is computed, or when views refer to each other more than five deep.
    package static func find(_ fieldName: String, of view: Collection, in schema: Schema) -> ViewSource? {
        var (view, name) = (view, fieldName)
        for _ in 0..<5 {
            guard let query = view.options["viewQuery"]?.stringValue, let parsed = try? ViewQuery(query),
                let column = parsed.columns.last(where: { $0.alias == name }),
                let found = direct(
                    column, main: parsed.tables.first?.alias ?? "", sources: collections(of: parsed.tables, in: schema)
                )
            else { return nil }
            if !found.0.isView { return ViewSource(collection: found.0, field: found.1) }
            (view, name) = (found.0, found.1.name)
        }
        return nil
    }

    /// The field that a column names, if it does no more than that.
    static func direct(
        _ column: ViewQuery.Identifier, main: String, sources: [String: Collection]
    ) -> (Collection, Field)? {
        let parts = column.original.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
        let source = parts.count == 2 ? sources[parts[0]] : sources[main]
        let name = (parts.count == 2 ? parts[1] : parts.first ?? "").lowercased()
        guard let source, let field = source.fields.first(where: { $0.name.lowercased() == name }) else { return nil }
        return (source, field)
    }

    /// The collections among a query's tables, by the names that they have in the query.
    static func collections(of tables: [ViewQuery.Identifier], in schema: Schema) -> [String: Collection] {
        var result: [String: Collection] = [:]
        // An alias with a parenthesis is an expression; a look-up among the names of the others would still find it.
        let names = Set(tables.filter { !$0.alias.contains("(") }.map(\.original))
        for table in tables where names.contains(table.original) {
            if let found = schema.collection(name: table.original), found.name == table.original {
                result[table.alias] = found
            }
        }
        return result
    }
}
