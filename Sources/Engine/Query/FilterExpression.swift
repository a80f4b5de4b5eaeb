import Store

/// One side of a comparison, as it was written.
package indirect enum FilterOperand: Sendable, Hashable {
    /// A field, a path, a macro, `true`, `false` or `null`; which one depends on the collection.
    case identifier(String)
    /// A quoted text without its quotes and escapes.
    case text(String)
    case number(Double)
    case function(String, [FilterOperand])
    /// A text or number whose value is kept elsewhere, by its position there (see `FilterExpression.template`).
    case literal(Int, isText: Bool, isEmpty: Bool)

    /// What an error's text names it by.
    var literal: String {
        switch self {
        case .identifier(let name), .text(let name), .function(let name, _): name
        case .number(let number): LikePattern.text(of: .real(number))
        case .literal: ""
        }
    }

    /// What an error's text calls its kind.
    var kind: String {
        switch self {
        case .identifier: "identifier"
        case .function: "function"
        case .text, .literal(_, isText: true, _): "text"
        case .number, .literal: "number"
        }
    }
}

/// How the sides of a comparison are compared.
package struct FilterOperator: Sendable, Hashable {
    package enum Comparison: Sendable, Hashable {
        case equal, notEqual, like, notLike, less, lessOrEqual, greater, greaterOrEqual
    }
    package var comparison: Comparison
    /// Whether one of many values is enough (`?=`); otherwise all must agree.
    package var matchesAny: Bool

    /// The operator with this spelling, if there is one.
    init?(_ spelling: some StringProtocol) {
        matchesAny = spelling.hasPrefix("?")
        switch matchesAny ? spelling.dropFirst() : spelling[...] {
        case "=": comparison = .equal
        case "!=": comparison = .notEqual
        case "~": comparison = .like
        case "!~": comparison = .notLike
        case "<": comparison = .less
        case "<=": comparison = .lessOrEqual
        case ">": comparison = .greater
        case ">=": comparison = .greaterOrEqual
        default: return nil
        }
    }

    var spelling: String {
        let plain =
            switch comparison {
            case .equal: "="
            case .notEqual: "!="
            case .like: "~"
            case .notLike: "!~"
            case .less: "<"
            case .lessOrEqual: "<="
            case .greater: ">"
            case .greaterOrEqual: ">="
            }
        return matchesAny ? "?" + plain : plain
    }

    init(_ comparison: Comparison, matchesAny: Bool = false) {
        self.comparison = comparison
        self.matchesAny = matchesAny
    }
}

/// A filter or rule as a tree: text in, tree out, without knowledge of any collection.
///
/// For example:
///
///     let filter = try FilterExpression(parsing: "owner = @request.auth.id && (done = false || stars > 3)")
package struct FilterExpression: Sendable, Hashable {
    package indirect enum Node: Sendable, Hashable {
        case comparison(FilterOperand, FilterOperator, FilterOperand)
        /// All of at least two nodes, none of which is an `all`.
        case all([Node])
        /// Any of at least two nodes, none of which is an `any`.
        case any([Node])
    }

    package let root: Node

    /// - Parameters:
    ///   - text: the filter as it was written.
    ///   - limit: the number of comparisons allowed.
    /// - Throws: when the text is not a filter, is empty, or has too many comparisons.
    package init(parsing text: String, limit: Int = QueryLimits.comparisons) throws(QueryError) {
        var parser = FilterParser(text, limit: limit)
        root = try parser.parse()
    }

    init(root: Node) { self.root = root }

    /// All names in it, each as often as it occurs.
    package var identifiers: [String] { root.identifiers }
}

extension FilterExpression.Node {
    fileprivate var identifiers: [String] {
        switch self {
        case .comparison(let left, _, let right): left.identifiers + right.identifiers
        case .all(let nodes), .any(let nodes): nodes.flatMap(\.identifiers)
        }
    }
}

extension FilterOperand {
    fileprivate var identifiers: [String] {
        switch self {
        case .identifier(let name): [name]
        case .function(_, let arguments): arguments.flatMap(\.identifiers)
        case .text, .number, .literal: []
        }
    }
}
