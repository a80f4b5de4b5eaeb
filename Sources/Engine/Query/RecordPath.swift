/// Where a path has got to while it is followed from record to record.
struct RecordPath {
    /// The collection reached, and the join that stands for it (nil: the query's own table).
    var collection: Collection
    var join: Int?
    var isDraft: Bool
    /// Whether a missing field is NULL instead of an error (`@request.…`).
    var isLenient: Bool
    var many: Many
    /// The way so far; nil when it does not begin at the query's own row.
    var route: RelationRoute?

    /// The same way once more in a subquery of its own, for operators that ask all values to agree.
    struct Many {
        var source: SQLText
        var alias: String
        var tie: SQLText
        /// Whether the path leads to many values at all.
        var isMany = false

        init(source: SQLText, alias: String, tie: SQLText) {
            self.source = source
            self.alias = alias
            self.tie = tie
        }

        mutating func join(_ alias: String, _ table: SQLText, on condition: SQLText?) {
            source += " LEFT JOIN \(table) \(name: alias)"
            if let condition { source += " ON \(condition)" }
            self.alias = alias
        }

        func values(_ value: SQLText) -> ManyValues? {
            isMany ? ManyValues(source: source, tie: tie, value: value) : nil
        }
    }
}

extension Field {
    /// Whether the field's column may hold NULL and JSON of any kind, so that its top level is unpacked to compare it.
    var isFreeJSON: Bool {
        shape.form == .json && !shape.column.utf8.containsSequence("NOT NULL".utf8)
    }
    /// Whether `:each` and `:length` mean something for it, even if it holds one value only.
    var isListLike: Bool {
        shape.isMultiple || shape.form == .list || shape.form == .lastOfList || shape.isFile || shape.relation != nil
    }
    var hasTextColumn: Bool { shape.column.utf8.starts(with: "TEXT".utf8) }
}

extension String.UTF8View {
    /// Whether `other` occurs in it.
    func containsSequence(_ other: String.UTF8View) -> Bool {
        var start = startIndex
        while start < endIndex {
            if self[start...].starts(with: other) { return true }
            start = index(after: start)
        }
        return other.isEmpty
    }
}
