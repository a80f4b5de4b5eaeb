/// The SQL of a collection's rows that is the same for every request, made once per version of the collection.
package struct RecordStatements: Sendable {
    /// The columns in the order of the fields, qualified by the table.
    package let columns: String
    package let selectByID: String
    package let insert: String
    package let deleteByID: String
    package let table: String

    package init(name: String, fields: [Field]) {
        table = SQLName.quote(name)
        let table = self.table
        columns = fields.map { "\(table).\(SQLName.quote($0.name))" }.joined(separator: ", ")
        selectByID = "SELECT \(columns) FROM \(table) WHERE \(table).`id` = ? LIMIT 1"
        let names = fields.map { SQLName.quote($0.name) }.joined(separator: ", ")
        let marks = Array(repeating: "?", count: fields.count).joined(separator: ", ")
        insert = "INSERT INTO \(table) (\(names)) VALUES (\(marks))"
        deleteByID = "DELETE FROM \(table) WHERE `id` = ?"
    }
}

extension SQLName {
    /// A table-valued function over a column that may hold a JSON array or one plain value.
    static func members(of column: String) -> String { "roost_each(\(column))" }
}
