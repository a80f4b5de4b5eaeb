/// Makes a tree of a filter's tokens.
///
/// Groups are kept on a stack of our own, so that a text of nothing but parentheses cannot exhaust the thread's.
struct FilterParser {
    private typealias Node = FilterExpression.Node

    /// A text or group that is being read.
    private struct Frame {
        enum Step { case left, sign, right, join }
        var step = Step.left
        var end: Int
        var isAnd = true
        var left: FilterOperand?
        var sign: FilterOperator?
        var terms: [(isAnd: Bool, node: Node)] = []

        /// Another token than the one that has its turn.
        func unexpected(_ literal: String, _ kind: String) -> QueryError {
            let wanted =
                switch step {
                case .left: "left operand (identifier, function, text or number)"
                case .sign: "a sign operator"
                case .right: "right operand (identifier, function text or number)"
                case .join: "&& or ||"
                }
            return QueryError("expected \(wanted), got \(QueryError.quote(literal)) (\(kind))")
        }
    }

    private var lexer: FilterLexer
    private let limit: Int

    init(_ text: String, limit: Int) {
        lexer = FilterLexer(text)
        self.limit = limit
    }

    mutating func parse() throws(QueryError) -> FilterExpression.Node {
        var frame = Frame(end: lexer.end)
        var stack: [Frame] = []
        var comparisons = 0
        while true {
            switch try lexer.next() {
            case .blank: continue
            case .end:
                guard frame.step == .join else {
                    let isEmpty = frame.terms.isEmpty && frame.left == nil
                    throw QueryError(isEmpty ? "empty filter expression" : "invalid or incomplete filter expression")
                }
                let node = Self.combine(frame.terms)
                guard var parent = stack.popLast() else {
                    guard Self.depth(node) <= QueryLimits.groupDepth else { throw QueryError("too many nested groups") }
                    return node
                }
                // A NUL may have ended the group early: what is left of it is skipped as PocketBase does.
                lexer.position = frame.end + 1
                lexer.end = parent.end
                parent.terms.append((parent.isAnd, node))
                parent.step = .join
                frame = parent
            case .group(let start, let end):
                // A group may stand anywhere; a comparison begun before it is dropped. So it is in PocketBase.
                stack.append(frame)
                frame = Frame(end: end)
                lexer.position = start
                lexer.end = end
            case .operand(let operand):
                if frame.step == .left {
                    frame.left = operand
                    frame.step = .sign
                } else if frame.step == .right, let left = frame.left, let sign = frame.sign {
                    comparisons += 1
                    guard comparisons <= limit else { throw QueryError("max filter expressions limit reached") }
                    frame.terms.append((frame.isAnd, .comparison(left, sign, operand)))
                    frame.step = .join
                } else {
                    throw frame.unexpected(operand.literal, operand.kind)
                }
            case .sign(let sign):
                guard frame.step == .sign else { throw frame.unexpected(sign.spelling, "sign") }
                frame.sign = sign
                frame.step = .right
            case .join(let isAnd):
                guard frame.step == .join else { throw frame.unexpected(isAnd ? "&&" : "||", "join") }
                frame.isAnd = isAnd
                frame.step = .left
            }
        }
    }

    /// `&&` binds tighter than `||`; the conjunction before the first term says nothing.
    private static func combine(_ terms: [(isAnd: Bool, node: Node)]) -> Node {
        var alternatives: [[Node]] = []
        for term in terms {
            if term.isAnd, !alternatives.isEmpty {
                alternatives[alternatives.count - 1].append(term.node)
            } else {
                alternatives.append([term.node])
            }
        }
        return join(alternatives.map { join($0, isAnd: true) }, isAnd: false)
    }

    private static func join(_ nodes: [Node], isAnd: Bool) -> Node {
        if nodes.count == 1, let only = nodes.first { return only }
        var flat: [Node] = []
        for node in nodes {
            switch node {
            case .all(let inner) where isAnd: flat += inner
            case .any(let inner) where !isAnd: flat += inner
            default: flat.append(node)
            }
        }
        return isAnd ? .all(flat) : .any(flat)
    }

    private static func depth(_ node: Node) -> Int {
        switch node {
        case .comparison: 0
        case .all(let nodes), .any(let nodes): 1 + (nodes.map(depth).max() ?? 0)
        }
    }
}
