import Engine
import Testing

@Suite("Index statements")
struct SchemaIndexTests {
    @Test(
        "a statement is read and spelled again as PocketBase spells it",
        arguments: [
            ("create index idx_a on foo (a)", "CREATE INDEX `idx_a` ON `foo` (`a`)"),
            (
                "create  UNIQUE index if not exists `main`.`i` on `t` (`a`, lower(b) collate nocase desc, c asc)",
                "CREATE UNIQUE INDEX IF NOT EXISTS `main`.`i` ON `t` (\n  `a`,\n  lower(b) COLLATE nocase DESC,\n  `c` ASC\n)"
            ),
            ("CREATE INDEX `x` on `t` (a) where a != ''", "CREATE INDEX `x` ON `t` (`a`) WHERE a != ''"),
            ("CREATE INDEX x on t (a) where (b > 1)", "CREATE INDEX `x` ON `t` (`a`) WHERE (b > 1)"),
            ("CREATE INDEX\n\"x\"\non\n[t]\n(\n\"a\"\n)", "CREATE INDEX `x` ON `t` (`a`)"),
            (
                "CREATE INDEX x on t (case\n when a=1 then 2 end)",
                "CREATE INDEX `x` ON `t` (case\n when a=1 then 2 end)"
            ),
            ("create indexq on t (a)", "CREATE INDEX `q` ON `t` (`a`)"),
            ("CREATE INDEX x on t (a) garbage", ""),
            ("CREATE INDEX x on t (a);", ""),
            ("bad", ""),
            ("create index on t (a)", ""),
            ("create index x on t ()", ""),
        ]
    )
    func spelling(_ given: String, _ expected: String) {
        #expect(IndexDefinition(given).statement == expected)
    }

    @Test("a unique index over one column is found whatever its case and condition")
    func uniqueIndex() {
        let indexes = [
            "CREATE INDEX a ON t (email)", "CREATE UNIQUE INDEX b ON t (email, name)",
            "CREATE UNIQUE INDEX c ON t (EMAIL) WHERE email != ''",
        ]
        #expect(IndexDefinition.uniqueIndex(on: "email", in: indexes)?.name == "c")
        #expect(IndexDefinition.uniqueIndex(on: "name", in: indexes) == nil)
    }
}
