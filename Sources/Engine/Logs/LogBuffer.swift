import JSON

/// Log lines that wait to be written, as the bytes that the database gets. A server under load gathers tens of thousands
/// a second; kept as values with texts of their own they would take several times the memory, and the allocator's time.
struct LogBuffer: Sendable {
    struct Line: Sendable {
        var milliseconds: Int64
        var level: Int32
        /// Where the message and the data end in `text`; the message begins where the line before ends.
        var messageEnd: Int32
        var dataEnd: Int32
    }

    /// What waits at most, in lines and bytes.
    private static let maxLines = 100_000
    private static let maxBytes = 16 << 20

    private(set) var lines: [Line] = []
    private(set) var text: [UInt8] = []
    private var writer = JSONWriter(capacity: 1024)

    /// Whether there is no room for another line.
    var isFull: Bool { lines.count >= Self.maxLines || text.count >= Self.maxBytes }

    mutating func append(_ entry: LogEntry) {
        writer.reset()
        switch entry.content {
        case .message(let message, let data):
            text += message.utf8
            writer.object(data)
        case .request(let request):
            request.writeMessage(into: &text)
            request.writeData(into: &writer)
        }
        let messageEnd = text.count
        writer.withBytes { text.append(contentsOf: $0) }
        lines.append(
            Line(
                milliseconds: entry.milliseconds, level: Int32(entry.level.rawValue), messageEnd: Int32(messageEnd),
                dataEnd: Int32(text.count)))
    }

    /// Calls the body with each line and its texts.
    func forEach(
        _ body: (Line, _ message: UnsafeBufferPointer<UInt8>, _ data: UnsafeBufferPointer<UInt8>) throws -> Void
    ) rethrows {
        try text.withUnsafeBufferPointer { text in
            var start = 0
            for line in lines {
                let messageEnd = Int(line.messageEnd)
                let end = Int(line.dataEnd)
                try body(
                    line, UnsafeBufferPointer(rebasing: text[start..<messageEnd]),
                    UnsafeBufferPointer(rebasing: text[messageEnd..<end]))
                start = end
            }
        }
    }

    /// Forgets the lines and keeps the memory of a usual amount.
    mutating func clear() {
        lines.removeAll(keepingCapacity: lines.capacity <= 4096)
        text.removeAll(keepingCapacity: text.capacity <= 2 << 20)
    }
}
