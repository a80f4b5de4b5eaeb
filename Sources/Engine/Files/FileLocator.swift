package import Store

/// Finds out whose a file is.
package enum FileLocator {
    /// The field of a record that has a file of a name.
    package static func field(of record: Record, with name: String) -> Field? {
        for (index, field) in record.collection.fields.enumerated() where field.shape.isFile {
            switch record.values[index] {
            case .text(let text): if text.utf8.elementsEqual(name.utf8) { return field }
            case let value: if value.strings.contains(where: { $0.utf8.elementsEqual(name.utf8) }) { return field }
            }
        }
        return nil
    }

    /// The record whose file a view shows: mostly the one with the same id, else whichever has a file of that name.
    package static func origin(
        of record: Record, _ name: String, schema: Schema, on connection: Connection
    ) throws -> Record? {
        let candidates = schema.collections.filter { !$0.isView && $0.fields.contains { $0.shape.isFile } }
        for collection in candidates {
            if let found = try connection.record(id: record.id, in: collection), field(of: found, with: name) != nil {
                return found
            }
        }
        for collection in candidates {
            for field in collection.fields where field.shape.isFile {
                let column = "\(collection.statements.table).\(SQLName.quote(field.name))"
                let condition =
                    field.shape.isMultiple
                    ? "EXISTS (SELECT 1 FROM \(SQLName.members(of: column)) AS __je__ WHERE __je__.value = ?)"
                    : "\(column) = ?"
                let sql =
                    "SELECT \(collection.statements.columns) FROM \(collection.statements.table) "
                    + "WHERE \(condition) LIMIT 1"
                if let found = try connection.records(sql, [.text(name)], collection).first { return found }
            }
        }
        return nil
    }
}
