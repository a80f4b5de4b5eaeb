import JSON
extension Schema {
    /// The fields of tables (not views) that refer to a collection's records, by collection name and field order.
    package func references(to collection: Collection) -> [(collection: Collection, fields: [Int])] {
        collections.compactMap { other in
            guard !other.isView else { return nil }
            let fields = other.fields.indices.filter { other.fields[$0].shape.relation?.collectionID == collection.id }
            return fields.isEmpty ? nil : (other, fields)
        }
        .sorted { $0.collection.name < $1.collection.name }
    }
}
