/// A sort as it was written: keys separated by commas, `-` before those that run backwards.
package struct SortExpression: Sendable, Equatable {
    package struct Key: Sendable, Equatable {
        package var name: String
        package var isDescending: Bool
    }

    package let keys: [Key]

    /// - Throws: when there are too many keys or one is too long.
    package init(parsing text: String) throws(QueryError) {
        var keys: [Key] = []
        for part in text.utf8.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false) {
            guard keys.count < QueryLimits.sortKeys else { throw QueryError("max sort expressions limit reached") }
            var name = Substring(part)
            while let first = name.unicodeScalars.first, first.properties.isWhitespace {
                name.unicodeScalars.removeFirst()
            }
            while let last = name.unicodeScalars.last, last.properties.isWhitespace { name.unicodeScalars.removeLast() }
            let isDescending = name.utf8.first == UInt8(ascii: "-")
            if isDescending || name.utf8.first == UInt8(ascii: "+") { name.unicodeScalars.removeFirst() }
            guard name.utf8.count <= QueryLimits.sortKeyLength else {
                throw QueryError("max sort field length limit reached")
            }
            keys.append(Key(name: String(name), isDescending: isDescending))
        }
        self.keys = keys
    }
}
