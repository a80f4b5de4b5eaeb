import JSON
package import Store

/// Loads the records that a request's `expand` names, with each target collection's view rule applied.
package struct Expander {
    /// How deep a path may go, as in PocketBase.
    static let maxDepth = 6
    /// How many records of a back-relation are loaded for one record.
    static let maxBackRelated = 1000

    let schema: Schema
    let connection: Connection
    /// Loads records of a collection by ids as the requester may see them; nil when it may see none at all.
    let fetch: (Collection, [String]) throws -> [Record]?

    package init(
        schema: Schema, connection: Connection, fetch: @escaping (Collection, [String]) throws -> [Record]?
    ) {
        self.schema = schema
        self.connection = connection
        self.fetch = fetch
    }

    /// The paths of an `expand` parameter: no blanks, no path that another one contains, each once.
    package static func paths(_ parameter: String) -> [String] {
        let isOne = parameter.utf8.allSatisfy { $0 != UInt8(ascii: ",") && $0 != UInt8(ascii: " ") }
        if isOne, let first = parameter.utf8.first, first != UInt8(ascii: "."), parameter.utf8.last != UInt8(ascii: ".")
        {
            return [parameter]
        }
        let all = parameter.split(separator: ",").map { part -> String in
            var path = Substring(part.filter { $0 != " " })
            while path.hasPrefix(".") { path.removeFirst() }
            while path.hasSuffix(".") { path.removeLast() }
            return String(path)
        }
        // What stands at the beginning of another path, as far as paths are followed.
        var contained: Set<String> = []
        for path in all {
            let dots = path.utf8.indices.lazy.filter { path.utf8[$0] == UInt8(ascii: ".") }
            for dot in dots.prefix(maxDepth + 1) { contained.insert(String(path[..<dot])) }
        }
        var seen: Set<String> = []
        return all.filter { !$0.isEmpty && !contained.contains($0) && seen.insert($0).inserted }
    }

    /// Expands all records (of one collection) along a path. A path of which any step is unknown or forbidden expands
    /// nothing at all.
    /// - Returns: whether the path could be followed.
    @discardableResult
    package func expand(_ records: [Record], _ path: String, depth: Int = 1) throws -> Bool {
        guard let first = records.first, depth <= Self.maxDepth, !path.isEmpty else { return true }
        let parts = path.split(separator: ".", maxSplits: 1).map(String.init)
        guard let step = try step(parts[0], from: first.collection, records) else { return false }
        var ids: [String] = []
        var seen: Set<String> = []
        for list in step.ids { for id in list where seen.insert(id).inserted { ids.append(id) } }
        guard let related = try fetch(step.target, ids) else { return false }
        if parts.count > 1, try !expand(related, parts[1], depth: depth + 1) { return false }
        let byID = Dictionary(related.map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
        for (record, list) in zip(records, step.ids) {
            record.isExpanded = true
            let found = list.compactMap { byID[$0] }
            guard !found.isEmpty else { continue }
            let kept = step.isMultiple ? found : [found[0]]
            if let position = record.expand.firstIndex(where: { $0.key == parts[0] }) {
                for old in record.expand[position].records {
                    for new in kept where new.id == old.id { Self.merge(old.expand, into: new) }
                }
                record.expand[position] = (parts[0], step.isMultiple, kept)
            } else {
                record.expand.append((parts[0], step.isMultiple, kept))
            }
        }
        return true
    }

    private static func merge(_ old: [(key: String, isMultiple: Bool, records: [Record])], into record: Record) {
        for entry in old {
            guard let position = record.expand.firstIndex(where: { $0.key == entry.key }) else {
                record.expand.append(entry)
                continue
            }
            for former in entry.records {
                if let same = record.expand[position].records.first(where: { $0.id == former.id }) {
                    if same !== former { merge(former.expand, into: same) }
                } else if entry.isMultiple {
                    record.expand[position].records.append(former)
                }
            }
        }
    }

    private struct Step {
        var target: Collection
        /// For each record, the ids it leads to.
        var ids: [[String]]
        var isMultiple: Bool
    }

    private func step(_ name: String, from collection: Collection, _ records: [Record]) throws -> Step? {
        if let field = collection.field(named: name), let relation = field.shape.relation,
            let index = collection.index(of: name)
        {
            guard let target = schema.collection(id: relation.collectionID) else { return nil }
            return Step(
                target: target, ids: records.map { $0.values[index].strings }, isMultiple: field.shape.isMultiple)
        }
        guard let (source, field) = backRelation(name, to: collection) else { return nil }
        let column = SQLName.quote(field.name)
        let condition =
            field.shape.isMultiple
            ? "EXISTS (SELECT 1 FROM \(SQLName.members(of: column)) AS je WHERE je.value = ?)" : "\(column) = ?"
        let sql = "SELECT `id` FROM \(source.statements.table) WHERE \(condition) LIMIT \(Self.maxBackRelated)"
        var ids: [[String]] = []
        for record in records {
            ids.append(
                try connection.rows(sql, [.text(record.id)]).compactMap {
                    if case .text(let id) = $0[0] { id } else { nil }
                })
        }
        return Step(target: source, ids: ids, isMultiple: !IndexText.isUnique(field.name, source.indexes))
    }

    /// The collection and field of `collection_via_field`.
    private func backRelation(_ name: String, to collection: Collection) -> (Collection, Field)? {
        var search = name[...]
        while let range = search.lastRange(of: "_via_") {
            if let source = schema.collection(String(name[..<range.lowerBound])),
                let field = source.field(named: String(name[range.upperBound...])),
                field.shape.relation?.collectionID == collection.id
            {
                return (source, field)
            }
            search = search[..<range.lowerBound]
        }
        return nil
    }
}

extension Substring {
    /// The last place of a text within this one.
    func lastRange(of text: String) -> Range<Index>? {
        var at = endIndex
        while at > startIndex {
            at = index(before: at)
            if self[at...].hasPrefix(text) { return at..<index(at, offsetBy: text.count) }
        }
        return nil
    }
}

/// What can be read from a `CREATE INDEX` statement without parsing all of SQL.
enum IndexText {
    /// Whether one of the statements makes exactly this column unique.
    static func isUnique(_ column: String, _ indexes: [String]) -> Bool {
        indexes.contains { index in
            guard index.lowercased().contains("unique"), let open = index.firstIndex(of: "("),
                let close = index[open...].firstIndex(of: ")")
            else { return false }
            let name = index[index.index(after: open)..<close].filter { !"`\"[] \n\t".contains($0) }
            return name.lowercased() == column.lowercased()
        }
    }
}
