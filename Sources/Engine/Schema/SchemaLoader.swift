import JSON
package import Store

/// Reads the collections out of `_collections`.
///
/// Whatever a row holds, it becomes a collection: a field whose type is not installed or refuses its settings becomes a
/// ``MissingField``, and settings that an older PocketBase did not write yet are as if never set.
package struct SchemaLoader: Sendable {
    package let types: FieldTypeRegistry

    package init(types: FieldTypeRegistry) {
        self.types = types
    }

    private static let columns = """
        id, system, type, name, fields, indexes, listRule, viewRule, createRule, updateRule, deleteRule, options, \
        created, updated
        """

    /// All collections, in the order in which they were made.
    ///
    /// - Parameter version: what the schema counts as its version.
    package func load(_ connection: Connection, version: UInt64) throws -> Schema {
        let rows = try connection.rows("SELECT \(Self.columns) FROM _collections ORDER BY rowid")
        return Schema(collections: rows.map(collection), version: version)
    }

    private func collection(_ row: [SQLValue]) -> Collection {
        func text(_ index: Int) -> String { row[index].textValue ?? "" }
        let type = CollectionType(rawValue: text(2)) ?? .base
        let fields = (Self.json(row[4]).arrayValue ?? []).map { FieldDraft(stored: $0, types: types).compiled(types) }
        let indexes = Self.json(row[5]).arrayValue?.compactMap(\.stringValue) ?? []
        let stored = Self.json(row[11]).objectValue ?? JSONObject()
        let options: JSONObject =
            switch type {
            case .base: JSONObject()
            case .view: ["viewQuery": .string(stored["viewQuery"]?.stringValue ?? "")]
            case .auth: AuthOptions.complete(stored).objectValue ?? JSONObject()
            }
        return Collection(
            id: text(0), name: text(3), type: type, system: row[1].intValue ?? 0 != 0, fields: fields,
            indexes: indexes,
            rules: CollectionRules(
                list: row[6].textValue, view: row[7].textValue, create: row[8].textValue, update: row[9].textValue,
                delete: row[10].textValue
            ),
            options: options, created: text(12), updated: text(13)
        )
    }

    private static func json(_ value: SQLValue) -> JSON {
        let lenient = JSONParser.Options(rejectDuplicateKeys: false)
        switch value {
        case .text(let text): return (try? JSONParser.parse(text, options: lenient)) ?? .null
        case .blob(let bytes): return (try? JSONParser.parse(bytes, options: lenient)) ?? .null
        case .null, .integer, .real: return .null
        }
    }
}
