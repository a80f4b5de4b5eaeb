import Engine
import JSON
import Testing

@Suite struct QueryLexerTests {
    typealias Node = FilterExpression.Node

    /// A filter's tree in a short form: `a=1`, `[x & y]`, `[x | y]`.
    static func show(_ text: String) -> String {
        guard let expression = try? FilterExpression(parsing: text) else { return "error" }
        return show(expression.root)
    }

    static func show(_ node: Node) -> String {
        switch node {
        case .comparison(let left, let sign, let right): "\(show(left))\(show(sign))\(show(right))"
        case .all(let nodes): "[" + nodes.map(show).joined(separator: " & ") + "]"
        case .any(let nodes): "[" + nodes.map(show).joined(separator: " | ") + "]"
        }
    }

    static func show(_ operand: FilterOperand) -> String {
        switch operand {
        case .identifier(let name): name
        case .text(let text): "'\(text)'"
        case .number(let number): "\(number)"
        case .function(let name, let arguments): name + "(" + arguments.map(show).joined(separator: ",") + ")"
        case .literal(let position, _, _): "?\(position)"
        }
    }

    static func show(_ sign: FilterOperator) -> String {
        let spelling =
            switch sign.comparison {
            case .equal: "="
            case .notEqual: "!="
            case .like: "~"
            case .notLike: "!~"
            case .less: "<"
            case .lessOrEqual: "<="
            case .greater: ">"
            case .greaterOrEqual: ">="
            }
        return (sign.matchesAny ? "?" : "") + spelling
    }

    @Test(
        "every operator is read",
        arguments: ["=", "!=", "~", "!~", "<", "<=", ">", ">=", "?=", "?!=", "?~", "?!~", "?<", "?<=", "?>", "?>="])
    func operators(_ sign: String) {
        #expect(Self.show("a\(sign)b") == "a\(sign)b")
        #expect(Self.show("a \(sign) b") == "a\(sign)b")
    }

    @Test(
        "operands are read as PocketBase reads them",
        arguments: [
            ("a = -3.50", "a=-3.5"), ("a=12-3", "error"), ("a=1.", "error"), ("a=.5", "error"), ("a=1e3", "error"),
            ("a = - 1", "error"), ("a=-.5", "a=-0.5"), ("_a.b:c=1", "_a.b:c=1.0"), ("a.=1", "error"), ("a:=1", "error"),
            ("@=1", "error"),
            ("#=1", "error"), ("_=1", "error"), ("@now>a", "@now>a"), ("a='x'", "a='x'"), ("a=\"x\"", "a='x'"),
            ("a='x", "error"), ("a='über 😀'", "a='über 😀'"), ("ü=1", "error"), ("a=1ü", "error"), ("a=1\r", "error"),
            ("a\t=\n1", "a=1.0"), ("a=''", "a=''"), ("a==1", "error"), ("a=!1", "error"), ("a=1 / b=2", "error"),
        ])
    func operands(_ text: String, _ tree: String) { #expect(Self.show(text) == tree) }

    @Test(
        "quotes of either kind and backslashes are unescaped, other backslashes stay",
        arguments: [
            (#"a='it\'s'"#, "a='it's'"), (#"a="it\'s""#, "a='it's'"), (#"a='say \"hi\"'"#, #"a='say "hi"'"#),
            (#"a='x\\y'"#, #"a='x\y'"#), (#"a='x\y'"#, #"a='x\y'"#), (#"a='x\\\y'"#, #"a='x\\y'"#),
            (#"a='x\\'"#, #"a='x\'"#), (#"a='x\'"#, "error"), (#"a='x\\' && b='y'"#, #"[a='x\' & b='y']"#),
            (#"a='\n'"#, #"a='\n'"#),
        ])
    func escapes(_ text: String, _ tree: String) { #expect(Self.show(text) == tree) }

    @Test(
        "functions take identifiers, numbers, texts and functions, up to three deep",
        arguments: [
            ("f()=1", "f()=1.0"), ("f(a, 1 ,'x',g(b))=1", "f(a,1.0,'x',g(b))=1.0"), ("f(a,)=1", "f(a)=1.0"),
            ("f(,a)=1", "error"), ("f(a b)=1", "error"), ("f(a,,b)=1", "error"), ("f(a=1", "error"),
            ("f(a //c)\n)=1", "f(a)=1.0"), ("a(b(c(1)))=1", "a(b(c(1.0)))=1.0"), ("a(b(c(d(1))))=1", "error"),
            ("f(')')=1", "f(')')=1.0"), ("f (a)=1", "error"),
        ])
    func functions(_ text: String, _ tree: String) { #expect(Self.show(text) == tree) }

    @Test(
        "comments run to the end of the line; a group's end is searched without regard to them",
        arguments: [
            ("a=1 // b=2", "a=1.0"), ("// x\na=1", "a=1.0"), ("//", "error"), ("a=1 /", "error"),
            ("(a=1 // fine\n)", "a=1.0"), ("(a=1 // don't\n)", "error"), ("(a=1 // :)\n)", "error"),
        ])
    func comments(_ text: String, _ tree: String) { #expect(Self.show(text) == tree) }

    @Test("a NUL ends the token that it stands in and nothing else")
    func nul() {
        #expect(Self.show("a\u{0}=1") == "a=1.0")
        #expect(Self.show("a=1\u{0} b") == "error")
        #expect(Self.show("a='x\u{0}'") == "error")
        #expect(Self.show("a='\u{1}'") == "a='\u{1}'")
    }

    @Test(
        "a value in place of a placeholder is one text, whatever is in it",
        arguments: [
            "plain", "", "'", "\\", "\\'", "\\\\", "a\\", "\"", "\\\"", "' || id != \"\" //", "x\\' || id != \"\" //",
            "\u{0600}' || 1=1 //", "'\u{0301} || 1=1 //", "'\u{200D}x", "{:b}", "é", "\r\n' //", "// x",
        ])
    func placeholders(value: String) throws {
        let filled = FilterPlaceholders.fill("a = {:v} && b = {:n}", ["v": .string(value), "n": 1])
        let bytes = Array(value.utf8)
        guard case .all(let nodes) = try FilterExpression(parsing: filled).root,
            case .comparison(_, _, .text(let text))? = nodes.first
        else { return #expect(Bool(false), "\(filled)") }
        #expect(Array(text.utf8) == bytes)
        #expect(nodes.count == 2)
    }

    @Test("a NUL in a value ends no query")
    func nulInValue() throws {
        let filled = FilterPlaceholders.fill("a = {:v} && b = 1", ["v": "x\0' || 1=1"])
        #expect(Self.show(filled) == "[a='x\u{FFFD}' || 1=1' & b=1.0]")
    }
}
