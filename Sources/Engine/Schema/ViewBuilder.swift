import JSON
import Store

/// Makes view collections: finds their fields, creates and drops the SQL views. All on a running transaction.
struct ViewBuilder {
    let connection: Connection
    let types: FieldTypeRegistry
    let schema: Schema

    /// The statement without surrounding space and semicolons.
    ///
    /// - Throws: when there are several statements; a courtesy to whoever mistyped, not a defence.
    static func single(_ query: String) throws -> String {
        let query = trimmed(query)
        if let parts = try? SQLTokenizer.split(query, at: [";"]), parts.count > 1 {
            throw CollectionError.refused("multiple statements are not supported")
        }
        return query
    }

    private static func trimmed(_ query: String) -> String {
        query.trimmingScalars { $0.properties.isWhitespace }.trimmingScalars { $0 == ";" }
    }

    func drop(_ name: String) throws {
        try connection.execute("DROP VIEW IF EXISTS \(SQLName.quote(name))")
    }

    /// Creates the view, in the place of one of that name.
    func save(_ name: String, query: String) throws {
        try connection.undoingOnError {
            try drop(name)
            let query = try Self.single(query)
            // The outer SELECT keeps other statements out.
            try connection.executeSingle(
                "CREATE VIEW \(SQLName.quote(name)) AS SELECT * FROM (\(Self.unbraced(query)))"
            )
            // SQLite looks for the tables and columns only when the view is used.
            _ = try columns(of: name)
        }
    }

    /// PocketBase's database layer takes `[[name]]` and `{{name}}` for quoted names in any statement.
    static func unbraced(_ query: String) -> String {
        var query = query
        for (open, close) in [("[[", "]]"), ("{{", "}}")] {
            guard query.contains(open) else { continue }
            query = query.replacingAll(open, with: "`").replacingAll(close, with: "`")
        }
        return query
    }

    private func columns(of view: String) throws -> [(name: String, type: String)] {
        let rows = try connection.rows("SELECT name, type FROM pragma_table_info(?1)", [.text(view)])
        if rows.isEmpty {
            throw CollectionError.refused("empty table info probably due to invalid or missing table \(view)")
        }
        return rows.map { ($0[0].textValue ?? "", $0[1].textValue ?? "") }
    }

    /// The columns that a query gives, with their declared types.
    private func columns(query: String) throws -> [(name: String, type: String)] {
        let name = "_temp_" + RandomText.make(6)
        return try connection.undoingOnError {
            try save(name, query: query)
            let result = try columns(of: name)
            try drop(name)
            return result
        }
    }

    /// The fields of a view: of columns that come straight out of a collection copies of its fields, of others what
    /// their expression suggests.
    ///
    /// - Throws: also when there is no `id`, as every collection needs one.
    func fields(of query: String) throws -> [FieldDraft] {
        let fields = try fieldsWithoutCheck(of: query)
        guard fields.field(named: "id") != nil else {
            throw CollectionError.refused(
                "missing required id column (you can use `(ROW_NUMBER() OVER()) as id` if you don't have one)"
            )
        }
        return fields
    }

    /// The fields of a view, even when `id` is not among them.
    func fieldsWithoutCheck(of query: String) throws -> [FieldDraft] {
        let suggested = try suggestedFields(query)
        return [FieldDraft](
            adding: try columns(query: query).map { suggested[$0.name] ?? defaultField($0.name) }
        )
    }

    /// The query with its `id` as text, wherever SQLite would not say that it is one: ids are text everywhere.
    func withTextID(_ query: String) throws -> String {
        let query = Self.trimmed(query)
        let columns = try columns(query: query)
        if columns.contains(where: { $0.name.lowercased() == "id" && $0.type.uppercased() == "TEXT" }) { return query }
        let list = try ViewQuery(query).columns.map { column in
            let name = SQLName.quote(column.alias)
            return column.alias == "id" ? "CAST(\(name) as TEXT) \(name)" : name
        }
        return "SELECT \(list.joined(separator: ",")) FROM (\(query))"
    }

    private func defaultField(_ name: String) -> FieldDraft {
        if name == "id" {
            return FieldDraft(
                type: "text", name: name, system: true,
                settings: ["required": true, "primaryKey": true, "pattern": .string(CollectionDraft.idPattern)],
                types: types
            )
        }
        // The size has no meaning in a view.
        return FieldDraft(type: "json", name: name, settings: ["maxSize": 1], types: types)
    }

    private func suggestedFields(_ query: String) throws -> [String: FieldDraft] {
        let parsed = try ViewQuery(query)
        let sources = ViewSource.collections(of: parsed.tables, in: schema)
        var result: [String: FieldDraft] = [:]
        for column in parsed.columns {
            if column.alias == "*" {
                throw CollectionError.refused(
                    "wildcard columns (*) are not supported - manually type the collection field names you want the "
                        + "view query to have"
                )
            }
            result[column.alias] = suggestedField(column, main: parsed.tables.first?.alias ?? "", sources: sources)
        }
        return result
    }

    private func suggestedField(
        _ column: ViewQuery.Identifier, main: String, sources: [String: Collection]
    ) -> FieldDraft {
        let name = column.alias
        if name == "id" { return defaultField(name) }
        let expression = column.original.lowercased()
        if expression.hasPrefix("count(") {
            return FieldDraft(type: "number", name: name, settings: ["onlyInt": true], types: types)
        }
        if expression.hasPrefix("total(") { return FieldDraft(type: "number", name: name, types: types) }
        switch Self.castType(expression) {
        case "real", "decimal", "numeric": return FieldDraft(type: "number", name: name, types: types)
        case "int", "integer":
            return FieldDraft(type: "number", name: name, settings: ["onlyInt": true], types: types)
        case "text": return FieldDraft(type: "text", name: name, types: types)
        case "boolean", "bool": return FieldDraft(type: "bool", name: name, types: types)
        default: break
        }
        guard let (source, field) = ViewSource.direct(column, main: main, sources: sources)
        else { return defaultField(name) }
        if field.name.lowercased() == "id" {
            return FieldDraft(
                type: "relation", name: name, settings: ["maxSelect": 1, "collectionId": .string(source.id)],
                types: types
            )
        }
        var copy = FieldDraft(field)
        // One field may appear under several names.
        copy.id = "_clone_" + RandomText.make(4)
        copy.name = name
        return copy
    }

    /// The type that the whole expression casts to: `cast(… as type)`, lower case.
    static func castType(_ expression: String) -> String? {
        var text = Substring(expression)
        guard text.hasPrefix("cast") else { return nil }
        text = text.dropFirst(4).drop { $0.isWhitespace }
        guard text.first == "(", text.last == ")", text.count > 1 else { return nil }
        text = text.dropFirst().dropLast()
        while text.last?.isWhitespace == true { text.removeLast() }
        let type = String(text.reversed().prefix { $0.unicodeScalars.allSatisfy(\.isWordCharacter) }.reversed())
        text = text.dropLast(type.count)
        guard !type.isEmpty, text.last?.isWhitespace == true else { return nil }
        while text.last?.isWhitespace == true { text.removeLast() }
        guard text.hasSuffix("as"), text.dropLast(2).last?.isWhitespace == true else { return nil }
        return type
    }
}
