import Engine
import JSON
import Store
import WebServer

/// A table that is no collection but can be listed, filtered and sorted like one (`_collections`, `_logs`).
enum SystemTable {
    static let collections = make("_collections", ["id", "created", "updated", "name", "system", "type"])
    static let logs = make("_logs", ["created", "data", "id", "level", "message"], json: ["data"])

    private struct Column: FieldInstance {
        let shape: FieldShape
        func normalise(_ value: Value) -> Value { value }
        func modify(_ modifier: FieldModifier, current: Value, operand: Value) -> Value? { nil }
        func validate(_ value: Value, in context: FieldContext) -> FieldFailure? { nil }
        func intercept(_ moment: RecordMoments, in context: FieldContext) throws {}
    }

    private static func make(_ name: String, _ columns: [String], json: Set<String> = []) -> Collection {
        Collection(
            id: name, name: name, type: .base, system: true,
            fields: columns.map { column in
                Field(
                    id: column, name: column, typeID: json.contains(column) ? "json" : "text",
                    settings: JSONObject(),
                    instance: Column(
                        shape: FieldShape(column: "TEXT", form: json.contains(column) ? .json : .text, zero: .null)))
            }, indexes: [], rules: CollectionRules(), options: JSONObject(), created: "", updated: "")
    }
}

extension Exchange {
    /// Answers with a page of a system table, asked for as records are.
    /// - Parameter row: the JSON of a row, its columns in the table's order; nil leaves the row out.
    func listTable(
        _ table: Collection, in database: Database, row: @escaping @Sendable (Statement) throws -> JSON?
    ) {
        work {
            do {
                let options = try RecordService.ListOptions(self)
                try Self.checkNames(filter: options.filter)
                let schema = Schema(collections: [table], version: 0)
                let plan = try RecordQuery.list(
                    table, schema: schema, rule: nil, filter: options.filter, sort: options.sort, allowsHidden: true,
                    request: info(schema: schema), cache: PlanCache(capacity: 2))
                let info = RequestInfo()
                let answer: JSON = try readWhileOpen(database) { connection in
                    var total = -1
                    if !options.skipTotal, let sql = plan.countSQL {
                        total = Int(try connection.scalar(sql, plan.countValues(for: info))?.intValue ?? 0)
                    }
                    var items: [JSON] = []
                    try connection.withStatement(plan.sql) { statement in
                        try plan.bind(
                            to: statement, request: info,
                            extra: [.integer(Int64(options.perPage)), .integer(options.offset)])
                        while try statement.step() { if let item = try row(statement) { items.append(item) } }
                    }
                    return [
                        "items": .array(items), "page": .number(Double(options.page)),
                        "perPage": .number(Double(options.perPage)), "totalItems": .number(Double(total)),
                        "totalPages": .number(Double(options.pages(of: total))),
                    ]
                }
                pickItems(answer)
            } catch { fail(error, .badRequest()) }
        }
    }

    /// Nothing but columns, paths into them and the time can be filtered by; the request and modifiers are for records.
    private static func checkNames(filter: String) throws {
        if filter.isEmpty { return }
        let names = try FilterExpression(parsing: filter).identifiers
        // A path into a document may have anything in it.
        guard !names.contains(where: { $0.hasPrefix("@request.") || $0.contains(":") && !$0.contains(".") }) else {
            throw ServiceError.badRequest()
        }
    }

    /// Answers with a page whose items `fields` picks from.
    private func pickItems(_ answer: JSON) {
        let fields = query("fields")
        guard !fields.isEmpty, case .object(var object) = answer, let items = object["items"] else {
            return json(answer.serializedBytes())
        }
        do {
            object["items"] = try FieldPicker(fields).pick(items)
            json(JSON.object(object).serializedBytes())
        } catch { fail(error) }
    }
}

extension RecordService.ListOptions {
    /// Reads `page`, `perPage`, `skipTotal`, `filter`, `sort`, `expand` and `fields` from a request.
    /// - Throws: 400 for what is no number or boolean.
    init(_ exchange: Exchange) throws {
        self.init()
        guard !exchange.request.rawQuery.isEmpty else { return }
        if let page = try Self.number(exchange.query("page")) { self.page = max(page, 1) }
        if let perPage = try Self.number(exchange.query("perPage")) {
            self.perPage = perPage <= 0 ? 30 : min(perPage, 1000)
        }
        let skip = exchange.query("skipTotal")
        if !skip.isEmpty { skipTotal = try Self.bool(skip) }
        filter = exchange.query("filter")
        sort = exchange.query("sort")
        expand = exchange.query("expand")
        fields = exchange.query("fields")
    }

    private static func number(_ text: String) throws -> Int? {
        if text.isEmpty { return nil }
        guard let number = Int(text) else { throw ServiceError.badRequest() }
        return number
    }

    /// Go's `strconv.ParseBool`.
    private static func bool(_ text: String) throws -> Bool {
        switch text {
        case "1", "t", "T", "true", "TRUE", "True": return true
        case "0", "f", "F", "false", "FALSE", "False": return false
        default: throw ServiceError.badRequest()
        }
    }
}
