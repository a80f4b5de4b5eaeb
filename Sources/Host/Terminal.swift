import Glibc

/// Lines for the person at the terminal.
enum Terminal {
    static func line(_ text: String) { write(text + "\n", to: 1) }
    static func error(_ text: String) { write(text + "\n", to: 2) }

    /// Asks a question that is answered with yes or no; an empty line or the end of the input is a no.
    static func ask(_ question: String) -> Bool {
        while true {
            write("\(question) (y/N) ", to: 2)
            switch (readLine() ?? "").trimmed.lowercased() {
            case "y", "yes": return true
            case "", "n", "no": return false
            default: continue
            }
        }
    }

    private static func write(_ text: String, to descriptor: Int32) {
        let bytes = Array(text.utf8)
        var offset = 0
        while offset < bytes.count {
            let count = bytes.withUnsafeBytes {
                Glibc.write(descriptor, $0.baseAddress?.advanced(by: offset), bytes.count - offset)
            }
            if count < 0 && errno == EINTR { continue }
            if count <= 0 { return }
            offset += count
        }
    }
}

extension String {
    fileprivate var trimmed: Substring {
        var text = self[...]
        while text.first?.isWhitespace == true { text.removeFirst() }
        while text.last?.isWhitespace == true { text.removeLast() }
        return text
    }
}
