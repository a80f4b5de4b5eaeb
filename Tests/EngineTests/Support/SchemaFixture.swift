import Engine
import JSON
import Store
import Testing

/// A new folder's `data.db` in memory, inside one transaction.
struct SchemaFixture {
    let connection: Connection
    var store: CollectionStore

    init(rules: @escaping @Sendable (String) -> String? = { $0.contains("nope") ? "unknown field \"nope\"" : nil })
        throws
    {
        connection = try Connection(path: ":memory:", access: .readWrite(create: true))
        let environment = SchemaEnvironment(
            types: SchemaFieldType.registry, ruleError: { rule, _, _ in rules(rule) }
        )
        try connection.execute("BEGIN")
        try Bootstrap(environment).prepareData(connection)
        let schema = try SchemaLoader(types: environment.types).load(connection, version: 1)
        store = CollectionStore(environment, schema: schema, connection: connection)
    }

    /// Creates a collection from JSON text.
    @discardableResult
    mutating func create(_ body: String) throws -> Collection { try store.create(JSONParser.parse(body)) }

    /// Changes a collection with JSON text.
    @discardableResult
    mutating func update(_ name: String, _ body: String) throws -> Collection {
        try store.update(collection(name), JSONParser.parse(body))
    }

    func collection(_ name: String) throws -> Collection { try #require(store.schema.collection(name)) }

    /// The `data` of the refusal that a body gets; "saved" if there is none.
    mutating func refusal(creating body: String) throws -> String {
        do {
            try create(body)
            return "saved"
        } catch let error as ServiceError {
            return error.body["data"]?.serialized() ?? ""
        }
    }

    mutating func refusal(updating name: String, _ body: String) throws -> String {
        do {
            try update(name, body)
            return "saved"
        } catch let error as ServiceError {
            return error.body["data"]?.serialized() ?? ""
        }
    }

    /// The statement with which a table, view or index was made.
    func sql(_ name: String) throws -> String? {
        try connection.scalar("SELECT sql FROM sqlite_master WHERE name = ?1", [.text(name)])?.textValue
    }

    /// The column of `_collections` as it is stored.
    func stored(_ name: String, _ column: String) throws -> String? {
        try connection.scalar("SELECT \(column) FROM _collections WHERE name = ?1", [.text(name)])?.textValue
    }
}
