import Glibc
import JSON
import Synchronization

/// Shows log lines and SQL at the terminal, for whoever develops an application (`--dev`).
package final class LogPrinter: Sendable {
    private let colours: Bool
    private let descriptor: Int32
    /// Held while a line is written, so that lines of several threads do not mix.
    private let lock = Mutex<Void>(())

    /// - Parameter descriptor: where to; coloured when that is a terminal and `NO_COLOR` is not set.
    package init(descriptor: Int32 = 1) {
        self.descriptor = descriptor
        colours = isatty(descriptor) == 1 && getenv("NO_COLOR") == nil
    }

    init(descriptor: Int32, colours: Bool) {
        self.descriptor = descriptor
        self.colours = colours
    }

    /// SGR parameters of ECMA-48.
    private enum Style: String {
        case grey = "90"
        case white = "37"
        case yellow = "33"
        case red = "31"
        case brightRed = "91"
    }

    private func styled(_ text: String, _ style: Style, bold: Bool = false) -> String {
        colours ? "\u{1B}[\(bold ? "1;" : "")\(style.rawValue)m\(text)\u{1B}[0m" : text
    }

    package func print(_ entry: LogEntry) {
        let (title, style) = title(entry.level)
        var text = title + styled(Self.visible(entry.message), style == .grey ? .white : style) + "\n"
        if !entry.data.isEmpty {
            text += styled("└─ " + Self.visible(JSON.object(entry.data).serialized()), .grey) + "\n"
        }
        write(text)
    }

    package func print(_ request: borrowing RequestLog) {
        let (title, style) = title(request.level)
        let message = "\(request.method) \(Self.short(String(decoding: request.url, as: UTF8.self)))"
        var text = title + styled(Self.visible(message), style)
        text += styled(" \(request.status) \(Self.milliseconds(request.duration))", .grey) + "\n"
        var indent = ""
        let (error, details) = (request.error, request.details)
        for words in [error, details] {
            guard let words else { continue }
            text += styled(indent + "└─ " + Self.visible(words), .brightRed) + "\n"
            indent += "   "
        }
        write(text)
    }

    private func title(_ level: LogEntry.Level) -> (String, Style) {
        let (name, style): (String, Style) =
            switch level {
            case .debug: ("DEBUG", .grey)
            case .info: ("INFO", .white)
            case .warn: ("WARN", .yellow)
            case .error: ("ERROR", .red)
            }
        return (styled(name + " ", style, bold: true), style)
    }

    private static func short(_ text: String) -> String { text.utf8.count > 4000 ? text.prefix(4000) + "…" : text }

    /// A statement that has run, with its values.
    package func print(sql: String, nanoseconds: UInt64) {
        write(styled("[\(Self.milliseconds(nanoseconds))] \(Self.visible(Self.short(sql)))", .grey) + "\n")
    }

    private static func milliseconds(_ nanoseconds: UInt64) -> String {
        let hundredths = (nanoseconds + 5_000) / 10_000
        let rest = hundredths % 100
        return "\(hundredths / 100).\(rest < 10 ? "0" : "")\(rest)ms"
    }

    /// What clients send must not steer the terminal.
    private static func visible(_ text: String) -> String {
        String(
            String.UnicodeScalarView(
                text.unicodeScalars.map { scalar in
                    let isControl = scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value)
                    return isControl && scalar != "\n" && scalar != "\t" ? "\u{FFFD}" : scalar
                }))
    }

    private func write(_ text: String) {
        let bytes = Array(text.utf8)
        lock.withLock { _ in _ = FileSystem.write(bytes, to: descriptor) }
    }
}
