package import Store

extension FilterExpression {
    /// The same tree with its texts and numbers taken out, so that filters which differ in nothing else share a plan.
    package func template() -> (template: FilterExpression, literals: [SQLValue]) {
        var literals: [SQLValue] = []
        return (FilterExpression(root: Self.takeLiterals(of: root, into: &literals)), literals)
    }

    private static func takeLiterals(of node: Node, into literals: inout [SQLValue]) -> Node {
        switch node {
        case .comparison(let left, let sign, let right):
            let left = takeLiterals(of: left, into: &literals)
            return .comparison(left, sign, takeLiterals(of: right, into: &literals))
        case .all(let nodes): return .all(nodes.map { takeLiterals(of: $0, into: &literals) })
        case .any(let nodes): return .any(nodes.map { takeLiterals(of: $0, into: &literals) })
        }
    }

    private static func takeLiterals(of operand: FilterOperand, into literals: inout [SQLValue]) -> FilterOperand {
        switch operand {
        case .text(let text):
            literals.append(.text(text))
            return .literal(literals.count - 1, isText: true, isEmpty: text.isEmpty)
        case .number(let number):
            literals.append(.real(number))
            return .literal(literals.count - 1, isText: false, isEmpty: false)
        case .function(let name, let arguments):
            return .function(name, arguments.map { takeLiterals(of: $0, into: &literals) })
        case .identifier, .literal: return operand
        }
    }
}
