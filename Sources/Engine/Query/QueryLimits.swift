/// How much a client may ask for in one query; the numbers are PocketBase's.
package enum QueryLimits {
    /// Comparisons in one filter or rule.
    package static let comparisons = 200
    /// Bytes of a client's filter. Rules have no such limit.
    package static let filterLength = 3500
    /// Keys of a sort.
    package static let sortKeys = 8
    /// Bytes of one sort key.
    package static let sortKeyLength = 255
    /// Relations that a path may follow.
    static let relations = 6
    /// Functions inside functions.
    static let functionDepth = 3
    /// Groups inside groups of the other conjunction (`a && (b || (c && …`): more would exhaust SQLite's parser.
    static let groupDepth = 80
}
