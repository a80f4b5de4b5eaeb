import JSON
package import Store

extension RecordService {
    /// What a list asks for.
    package struct ListOptions: Sendable {
        package var page = 1
        package var perPage = 30
        package var skipTotal = false
        package var filter = ""
        package var sort = ""
        package var expand = ""
        package var fields = ""
        package init() {}

        package var offset: Int64 {
            let (offset, overflow) = Int64(perPage).multipliedReportingOverflow(by: Int64(page - 1))
            return overflow ? .max : offset
        }

        /// How many pages a number of rows makes; -1 when it was not counted.
        package func pages(of total: Int) -> Int { total < 0 ? -1 : (total + perPage - 1) / perPage }
    }

    /// A page of records as the answer's JSON.
    /// - Parameter isEmpty: told when there is none on it.
    package func list(
        _ collection: Collection, _ options: ListOptions, on connection: Connection, isEmpty: (() -> Void)? = nil
    ) throws -> [UInt8] {
        let rule = try effective(collection.rules.list)
        try refuseUnreadable(collection)
        try RecordQuery.checkClientNames(filter: options.filter, sort: options.sort, request: info)
        let plan = try RecordQuery.list(
            collection, schema: schema, rule: rule, filter: options.filter, sort: options.sort,
            allowsHidden: info.isSuperuser, request: info, cache: plans,
            rows: { Self.rows(of: $0, on: connection) })
        // Taken before anything is read, so that it is not newer than what is kept under it.
        let version = plan.isSteady ? try connection.contentVersion : nil
        var count = options.skipTotal ? nil : Count(plan, info, plans.found, at: version)
        let asksTotal = count != nil && count?.total == nil
        // A page that is a large part of all matches is read like one that counts them.
        let readsAll = count.map { Int64(($0.total ?? 0) / 8 - options.perPage) <= options.offset } ?? false
        // When the end of the list is in sight from the page, the page tells the total and nothing is counted. A view
        // may have a record twice, of which a count knows and a page does not. Along an index of the sort it costs more
        // to look further than to count.
        let page = plan.page(isCounted: readsAll)
        let sortedSQL = try page.sortedSQL.flatMap { try connection.sortsAllRows(page.sql, insteadOf: $0) ? $0 : nil }
        // A page for which all matches are sorted has counted them.
        let countsMatches = asksTotal && plan.hasConditions && sortedSQL != nil
        let canSeeEnd = asksTotal && !collection.isView && !countsMatches
        let looksFurther = canSeeEnd && plan.hasConditions && options.sort.isEmpty
        var limit = options.perPage + (looksFurther ? min(2 * options.perPage, 100) : 0)
        // Who knows that there are no more does not look for them.
        if let total = count?.total, !collection.isView {
            limit = Int(clamping: max(0, min(Int64(limit), Int64(total) - options.offset)))
        }
        var reader = ItemReader(collection, options, isPlain: isPlain(collection, options))
        let values = plan.values(
            page.parameters, for: info, extra: [.integer(Int64(limit)), .integer(options.offset)])
        if let sortedSQL {
            let key = FoundCache.Key(sql: sortedSQL, values: values)
            let isRead =
                try !countsMatches
                && readAgain(collection, plan, key: key, at: version, into: &reader, on: connection)
            if !isRead {
                try read(sortedSQL, values, into: &reader, on: connection)
                if let version { plans.found.keep(reader.rows, of: key, at: version) }
            }
        } else {
            try read(page.sql, values, into: &reader, on: connection)
        }
        if countsMatches {
            count?.keep(reader.matches)
        } else if canSeeEnd, reader.found < limit, reader.found > 0 || options.offset == 0 {
            count?.keep(Int(options.offset) + reader.found)
        } else if asksTotal {
            try count?.run(on: connection)
        }
        if reader.found == 0 { isEmpty?() }
        let total = count?.total ?? -1
        var writer = reader.writer
        writer.key(plain: "page")
        // What is picked from goes through JSON once more in PocketBase, where every number is a double.
        if options.fields.isEmpty { writer.int(options.page) } else { writer.double(Double(options.page)) }
        writer.key(plain: "perPage")
        writer.int(options.perPage)
        writer.key(plain: "totalItems")
        writer.int(total)
        writer.key(plain: "totalPages")
        writer.int(options.pages(of: total))
        writer.endObject()
        return writer.bytes
    }

    /// Whether items go from the row into the answer as they are.
    private func isPlain(_ collection: Collection, _ options: ListOptions) -> Bool {
        options.expand.isEmpty && options.fields.isEmpty && !hooks.has(.recordEnrich, collection)
            && !needsManageCheck(collection)
    }

    /// The items of a list on their way into its answer.
    private struct ItemReader {
        let collection: Collection
        let options: ListOptions
        let isPlain: Bool
        /// The answer up to the end of its items.
        var writer = JSONWriter(capacity: 4096)
        /// Rows that were read, with those beyond the page.
        var found = 0
        /// How many rows met the conditions, where the query tells.
        var matches = 0
        /// The rows' numbers, where the query tells them.
        var rows: [Int64] = []

        init(_ collection: Collection, _ options: ListOptions, isPlain: Bool) {
            self.collection = collection
            self.options = options
            self.isPlain = isPlain
        }

        /// Counts a row.
        /// - Returns: whether it belongs on the page.
        mutating func takes(_ statement: Statement) -> Bool {
            found += 1
            guard found <= options.perPage else { return false }
            let number = collection.fields.count
            if statement.columnCount > number { rows.append(statement.int(number)) }
            return true
        }
    }

    /// Reads the items that a query finds.
    private func read(
        _ sql: String, _ values: [SQLValue], into reader: inout ItemReader, on connection: Connection
    ) throws {
        let collection = reader.collection
        reader = ItemReader(collection, reader.options, isPlain: reader.isPlain)
        reader.writer.beginObject()
        reader.writer.key(plain: "items")
        reader.writer.beginArray()
        try connection.withStatement(sql) { statement in
            try statement.bind(values)
            connection.counted = 0
            if reader.isPlain {
                let own = info.auth.flatMap { $0.collection.id == collection.id ? $0.id : nil }
                while try statement.step() {
                    guard reader.takes(statement) else { continue }
                    RowReader.write(
                        statement, collection, showsHidden: info.isSuperuser, revealsEmailOf: own, into: &reader.writer)
                }
                reader.matches = connection.counted
                return
            }
            var records: [Record] = []
            while try statement.step() {
                if reader.takes(statement) { records.append(RowReader.record(statement, collection)) }
            }
            reader.matches = connection.counted
            try enrich(records, expand: reader.options.expand, on: connection)
            let picker = reader.options.fields.isEmpty ? nil : try FieldPicker(reader.options.fields)
            for record in records { try write(record, picker, into: &reader.writer) }
        }
        reader.writer.endArray()
    }

    /// Reads the page that a query found before, if nothing was written since.
    /// - Returns: whether it could.
    private func readAgain(
        _ collection: Collection, _ plan: SelectPlan, key: FoundCache.Key, at version: ContentVersion?,
        into reader: inout ItemReader, on connection: Connection
    ) throws -> Bool {
        guard let version, let sql = plan.rowsSQL, let rows = plans.found.rows(of: key, at: version) else {
            return false
        }
        var list = JSONWriter(capacity: 12 * rows.count)
        list.beginArray()
        for row in rows { list.int(row) }
        list.endArray()
        try read(sql, [.text(String(decoding: list.bytes, as: UTF8.self))], into: &reader, on: connection)
        // A record that was changed meanwhile may be one that the client must not see any more.
        return try connection.contentVersion == version
    }

    /// The number of all records of a list: known from before, or still to be found.
    private struct Count {
        private(set) var total: Int?
        private let key: FoundCache.Key
        private let found: FoundCache
        /// Nil where the number must not be kept.
        private let version: ContentVersion?

        /// Nil for a plan that does not count.
        init?(_ plan: SelectPlan, _ info: RequestInfo, _ found: FoundCache, at version: ContentVersion?) {
            guard let sql = plan.countSQL else { return nil }
            key = FoundCache.Key(sql: sql, values: plan.countValues(for: info))
            self.found = found
            self.version = version
            if let version { total = found.total(of: key, at: version) }
        }

        mutating func run(on connection: Connection) throws {
            keep(
                try connection.withStatement(key.sql) { statement in
                    try statement.bind(key.values)
                    return try statement.step() ? Int(statement.int(0)) : 0
                })
        }

        mutating func keep(_ total: Int) {
            self.total = total
            if let version { found.keep(total, of: key, at: version) }
        }
    }

    /// How many rows a collection's table has, as far as its last row tells; nil for a view.
    private static func rows(of collection: Collection, on connection: Connection) -> Int? {
        guard !collection.isView else { return nil }
        let name = collection.name.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\"\"")
        return (try? connection.scalar("SELECT MAX(_rowid_) FROM \"\(name)\"")).map { Int($0?.intValue ?? 0) }
    }
}
