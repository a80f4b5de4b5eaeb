import JSON
import Store

/// `_logs` as PocketBase has it.
enum LogTable {
    /// Lines of one statement: what SQLite does once for each it does for all of them then.
    private static let group = 50

    private static func insertion(of count: Int) -> String {
        // A line that is there already came from the same block, inserted by a process that died before it let go of it.
        "INSERT OR IGNORE INTO `_logs` (`created`, `data`, `id`, `level`, `message`) VALUES "
            + [String](repeating: "(?, ?, ?, ?, ?)", count: count).joined(separator: ", ")
    }

    private static let (insertOne, insertGroup) = (insertion(of: 1), insertion(of: group))

    /// Inserts a block's lines; those that are there already stay as they are.
    /// - Parameter keeping: whether a line is kept.
    static func insert(
        _ block: LogBlock, keeping: (LogBlock.Line) -> Bool, _ connection: Connection
    ) throws {
        let lines = block.lines.filter(keeping)
        let grouped = lines.count / group * group
        let one = try connection.prepare(insertOne)
        defer { one.finish() }
        let many = grouped > 0 ? try connection.prepare(insertGroup) : one
        defer { if grouped > 0 { many.finish() } }
        var writer = JSONWriter(capacity: 1024)
        for (index, line) in lines.enumerated() {
            let statement = index < grouped ? many : one
            let place = index < grouped ? index % group : 0
            let (seconds, rest) = line.milliseconds.quotientAndRemainder(dividingBy: 1000)
            let first = place * 5
            try statement.bindText(Timestamp.format(seconds: seconds, milliseconds: Int(rest)), at: first + 1)
            try statement.bindText(id(of: line), at: first + 3)
            try statement.bindInt(Int64(line.level), at: first + 4)
            try block.withTexts(of: line, &writer) { message, data in
                try statement.bindText(utf8: data, at: first + 2)
                try statement.bindText(utf8: message, at: first + 5)
            }
            if index >= grouped || place == group - 1 {
                _ = try statement.step()
                statement.reset()
            }
        }
    }

    /// An id of PocketBase's length and alphabet that begins with the time: ids in order go to the end of their index,
    /// where random ones would change a page each.
    private static func id(of line: LogBlock.Line) -> String {
        // Nine digits of base 36 are enough until the year 5188; of the number, what six of them hold.
        String(unsafeUninitializedCapacity: 15) { text in
            func put(_ value: UInt64, _ range: Range<Int>) {
                var value = value
                for place in range.reversed() {
                    text[place] = RandomText.lowercase[Int((value + 26) % 36)]
                    value /= 36
                }
            }
            put(UInt64(max(0, line.milliseconds)), 0..<9)
            put(UInt64(line.number), 9..<15)
            return 15
        }
    }
}
