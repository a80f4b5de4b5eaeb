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
        let (name, style): (String, Style) =
            switch entry.level {
            case .debug: ("DEBUG", .grey)
            case .info: ("INFO", .white)
            case .warn: ("WARN", .yellow)
            case .error: ("ERROR", .red)
            }
        var text = styled(name + " ", style, bold: true)
        switch entry.content {
        case .message(let message, let data):
            text += styled(Self.visible(message), style == .grey ? .white : style) + "\n"
            if !data.isEmpty {
                text += styled("└─ " + Self.visible(JSON.object(data).serialized()), .grey) + "\n"
            }
        case .request(let request):
            var message: [UInt8] = []
            request.writeMessage(into: &message)
            text += styled(Self.visible(String(decoding: message, as: UTF8.self)), style)
            text += styled(" \(request.status) \(Self.milliseconds(request.duration))", .grey) + "\n"
            var indent = ""
            for words in [request.error, request.details.map { $0.stringValue ?? $0.serialized() }] {
                guard let words else { continue }
                text += styled(indent + "└─ " + Self.visible(words), .brightRed) + "\n"
                indent += "   "
            }
        }
        write(text)
    }

    /// A statement that has run, with its values.
    package func print(sql: String, nanoseconds: UInt64) {
        let shown = sql.utf8.count > 4000 ? sql.prefix(4000) + "…" : sql[...]
        write(styled("[\(Self.milliseconds(nanoseconds))] \(Self.visible(String(shown)))", .grey) + "\n")
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
