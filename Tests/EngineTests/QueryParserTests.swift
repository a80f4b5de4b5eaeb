import Engine
import Store
import Testing

@Suite struct QueryParserTests {
    @Test(
        "&& binds tighter than ||, groups come first and are flattened",
        arguments: [
            ("a=1 && b=2 || c=3", "[[a=1.0 & b=2.0] | c=3.0]"), ("a=1 || b=2 && c=3", "[a=1.0 | [b=2.0 & c=3.0]]"),
            ("(a=1 || b=2) && c=3", "[[a=1.0 | b=2.0] & c=3.0]"), ("((a=1))", "a=1.0"),
            ("a=1 && (b=2 && c=3)", "[a=1.0 & b=2.0 & c=3.0]"), ("a=1 || (b=2 || c=3)", "[a=1.0 | b=2.0 | c=3.0]"),
        ])
    func precedence(_ text: String, _ tree: String) { #expect(QueryLexerTests.show(text) == tree) }

    @Test(
        "what is no whole expression is refused",
        arguments: [
            "", " ", "a", "a=", "=1", "a=1 b=2", "a=1 &&", "&& a=1", "a=1 &&& b=1", "a=1 & b=1", "()", "(a=1", "a=1)",
        ])
    func incomplete(_ text: String) { #expect(QueryLexerTests.show(text) == "error") }

    @Test("a group may stand where PocketBase lets it: what was begun before it is dropped")
    func strayGroup() {
        #expect(QueryLexerTests.show("a = (b=1)") == "b=1.0")
        #expect(QueryLexerTests.show("a=1 || b=2 (c=3)") == "[a=1.0 | b=2.0 | c=3.0]")
    }

    @Test("two hundred comparisons are the limit")
    func comparisons() {
        let fits = Array(repeating: "a=1", count: 200).joined(separator: "||")
        #expect(throws: Never.self) { try FilterExpression(parsing: fits) }
        #expect(throws: QueryError.self) { try FilterExpression(parsing: fits + "||a=1") }
    }

    @Test("parentheses alone cannot exhaust the stack, alternating groups are bounded")
    func depth() {
        let many = String(repeating: "(", count: 1500) + "a=1" + String(repeating: ")", count: 1500)
        #expect(QueryLexerTests.show(many) == "a=1.0")
        func alternating(_ count: Int) -> String {
            String(repeating: "(a=1 || (a=2 && ", count: count) + "a=3" + String(repeating: "))", count: count)
        }
        #expect(throws: Never.self) { try FilterExpression(parsing: alternating(40)) }
        #expect(throws: QueryError.self) { try FilterExpression(parsing: alternating(45)) }
    }

    @Test("sort keys are cut at commas and trimmed")
    func sort() throws {
        let keys = try SortExpression(parsing: " -a , +b,c.d,").keys
        #expect(keys.map(\.name) == ["a", "b", "c.d", ""])
        #expect(keys.map(\.isDescending) == [true, false, false, false])
        #expect(throws: QueryError.self) { try SortExpression(parsing: "a,a,a,a,a,a,a,a,a") }
        #expect(throws: QueryError.self) { try SortExpression(parsing: String(repeating: "a", count: 256)) }
    }

    @Test("filters that differ in their texts and numbers share a template")
    func template() throws {
        func template(_ text: String) throws -> FilterExpression {
            try FilterExpression(parsing: text).template().template
        }
        #expect(try template("a = 'x' && b > 1") == template("a = 'y' && b > 2"))
        #expect(try template("a = 'x'") != template("a = ''"))
        #expect(try template("a = 'x'") != template("a = 1"))
        #expect(try template("a = 'x'") != template("b = 'x'"))
        let literals = try FilterExpression(parsing: "a = 'x' && f(2, 'y') > b").template().literals
        #expect(literals == [.text("x"), .real(2), .text("y")])
    }
}
