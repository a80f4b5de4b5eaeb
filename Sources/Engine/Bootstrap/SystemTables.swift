/// The tables that are no collections' tables. Their text is kept as PocketBase writes it, tabs included, so that tools
/// that compare schemas find no difference.
enum SystemTables {
    private static let time = "TEXT DEFAULT (strftime('%Y-%m-%d %H:%M:%fZ')) NOT NULL"

    static let migrations =
        "CREATE TABLE IF NOT EXISTS `_migrations` (file VARCHAR(255) PRIMARY KEY NOT NULL, applied INTEGER NOT NULL)"

    static let params = table(
        "CREATE TABLE `_params`", indent: 3,
        [("id", primaryKey), ("value", "JSON DEFAULT NULL"), ("created", time), ("updated", time)]
    )

    static let collections = table(
        "CREATE TABLE `_collections`", indent: 4,
        [
            ("id", primaryKey),
            ("system", "BOOLEAN DEFAULT FALSE NOT NULL"),
            ("type", "TEXT DEFAULT \"base\" NOT NULL"),
            ("name", "TEXT UNIQUE NOT NULL"),
            ("fields", "JSON DEFAULT \"[]\" NOT NULL"),
            ("indexes", "JSON DEFAULT \"[]\" NOT NULL"),
            ("listRule", "TEXT DEFAULT NULL"),
            ("viewRule", "TEXT DEFAULT NULL"),
            ("createRule", "TEXT DEFAULT NULL"),
            ("updateRule", "TEXT DEFAULT NULL"),
            ("deleteRule", "TEXT DEFAULT NULL"),
            ("options", "JSON DEFAULT \"{}\" NOT NULL"),
            ("created", time),
            ("updated", time),
        ]
    )

    static let collectionsIndex = "CREATE INDEX IF NOT EXISTS idx__collections_type on `_collections` (`type`)"

    static let logs = [
        table(
            "CREATE TABLE IF NOT EXISTS `_logs`", indent: 5,
            [
                ("id", primaryKey), ("level", "INTEGER DEFAULT 0 NOT NULL"), ("message", "TEXT DEFAULT \"\" NOT NULL"),
                ("data", "JSON DEFAULT \"{}\" NOT NULL"), ("created", time),
            ]
        ),
        "CREATE INDEX IF NOT EXISTS idx_logs_level on `_logs` (`level`)",
        "CREATE INDEX IF NOT EXISTS idx_logs_message on `_logs` (`message`)",
        "CREATE INDEX IF NOT EXISTS idx_logs_created_hour on `_logs` (strftime('%Y-%m-%d %H:00:00', `created`))",
    ]

    private static let primaryKey = "TEXT PRIMARY KEY DEFAULT ('r'||lower(hex(randomblob(7)))) NOT NULL"

    /// One column a line, the types in one column of the page.
    private static func table(_ head: String, indent: Int, _ columns: [(name: String, type: String)]) -> String {
        let width = columns.map(\.name.utf8.count).max() ?? 0
        let tabs = String(repeating: "\t", count: indent)
        let lines = columns.map { column in
            let padding = String(repeating: " ", count: width - column.name.utf8.count + 1)
            return "\(tabs)`\(column.name)`\(padding)\(column.type)"
        }
        return head + " (\n" + lines.joined(separator: ",\n") + "\n" + tabs.dropLast() + ")"
    }
}
