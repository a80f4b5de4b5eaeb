import Glibc
import PluginKit

/// Hands a mail to the machine's `sendmail`, which finds the recipients in the headers.
enum Sendmail {
    private static let paths = ["/usr/sbin/sendmail", "/usr/bin/sendmail"]

    static func send(_ letter: Letter) throws(MailError) {
        guard let program = find() else { throw MailError("failed to locate a sendmail executable path") }
        var text = letter.lines.map { $0 + "\r\n" }.joined()
        text += "MIME-Version: 1.0\r\n"
        text += "Content-Type: text/\(letter.html.isEmpty ? "plain" : "html"); charset=UTF-8\r\n"
        text += "Content-Transfer-Encoding: 8bit\r\n\r\n"
        text += letter.html.isEmpty ? letter.text : letter.html
        // Recipients as arguments and not by -t: those of Bcc are in no header.
        try run(program, ["-i", "-f", letter.from, "--"] + letter.recipients, input: Array(text.utf8))
    }

    private static func find() -> String? {
        let searched = getenv("PATH").map { String(cString: $0) } ?? ""
        let folders = searched.split(separator: ":").map { "\($0)/sendmail" }
        return (paths + folders).first { $0.hasPrefix("/") && access($0, X_OK) == 0 }
    }

    private static func run(_ program: String, _ arguments: [String], input: [UInt8]) throws(MailError) {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { throw MailError("No pipe could be made.") }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        posix_spawn_file_actions_adddup2(&actions, ends[0], 0)
        defer { posix_spawn_file_actions_destroy(&actions) }
        // The server blocks and ignores signals that another program is to hear.
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var none = sigset_t()
        var all = sigset_t()
        sigemptyset(&none)
        sigfillset(&all)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setsigdefault(&attributes, &all)
        var words: [UnsafeMutablePointer<CChar>?] = ([program] + arguments).map { strdup($0) }
        words.append(nil)
        defer { for word in words { free(word) } }
        var child = pid_t()
        let status = posix_spawn(&child, program, &actions, &attributes, words, environ)
        close(ends[0])
        guard status == 0 else {
            close(ends[1])
            throw MailError("\(program) could not be started: \(String(cString: strerror(status))).")
        }
        let isWritten = input.withUnsafeBytes { bytes in
            var written = 0
            while written < bytes.count {
                let count = write(ends[1], bytes.baseAddress.map { $0 + written }, bytes.count - written)
                if count < 0 && errno == EINTR { continue }
                guard count > 0 else { return false }
                written += count
            }
            return true
        }
        close(ends[1])
        var result: Int32 = 0
        while waitpid(child, &result, 0) < 0 { if errno != EINTR { throw MailError("\(program) was lost.") } }
        guard isWritten, result == 0 else { throw MailError("exit status \((result >> 8) & 0xFF)") }
    }
}
