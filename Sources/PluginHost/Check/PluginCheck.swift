internal import Glibc
internal import JSON

/// `roost plugin check FILE`: runs a plugin in a process of its own against valid, edge and hostile input. A crash is a
/// finding.
package enum PluginCheck {
    /// The hidden sub-command that the host program must give to ``runChild(_:)``.
    package static let childCommand = ["plugin", "check-child"]
    /// The descriptor on which the child reports; its standard streams are the plugin's.
    static let reportDescriptor: Int32 = 3

    /// Checks a plugin.
    ///
    /// - Parameters:
    ///   - path: its folder, its `plugin.json` or its library.
    ///   - executable: the program that knows ``childCommand``.
    ///   - timeout: seconds after which the child is ended and the plugin counts as hanging.
    package static func run(
        _ path: String, executable: String = "/proc/self/exe", arguments: [String] = childCommand, timeout: Int = 120
    ) -> CheckReport {
        let folder = PluginOperations.folder(of: path)
        var report = CheckReport(id: Files.name(of: folder))
        do {
            let candidate = PluginCatalog.read(folder: folder, origin: .bundled)
            if let problem = candidate.problem { throw problem }
            report.id = candidate.id
            report.version = candidate.manifest?.version ?? ""
            // What /proc/self/exe means is up to the process that opens it: the child would find itself.
            let program = Files.real(executable) ?? executable
            try runChild(program, arguments + [folder], timeout: timeout, into: &report)
        } catch {
            report.findings.append(
                CheckFinding(.error, (error as? PluginProblem)?.message ?? "\(error)"))
        }
        return report
    }

    private static func runChild(
        _ program: String, _ arguments: [String], timeout: Int, into report: inout CheckReport
    ) throws(PluginProblem) {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else {
            throw PluginProblem(.failed, "No pipe could be made: \(Files.errorText()).")
        }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        defer { close(ends[0]) }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_adddup2(&actions, ends[1], reportDescriptor)

        var strings: [UnsafeMutablePointer<CChar>?] = ([program] + arguments).map { strdup($0) }
        strings.append(nil)
        defer { for string in strings { free(string) } }
        var child = pid_t()
        let status = posix_spawn(&child, program, &actions, nil, &strings, environ)
        close(ends[1])
        guard status == 0 else {
            throw PluginProblem(.failed, "\(program) could not be started: \(Files.errorText(status)).")
        }
        let isInTime = read(ends[0], until: timeout, into: &report)
        if !isInTime { kill(child, SIGKILL) }
        var outcome: Int32 = 0
        while waitpid(child, &outcome, 0) < 0, errno == EINTR {}
        judge(outcome, isInTime: isInTime, timeout, &report)
    }

    /// Takes the child's lines until it ends; false when it takes too long.
    private static func read(_ descriptor: Int32, until timeout: Int, into report: inout CheckReport) -> Bool {
        let start = time(nil)
        var pending: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while true {
            let left = timeout - (time(nil) - start)
            if left <= 0 { return false }
            var poller = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            let ready = poll(&poller, 1, Int32(left) * 1000)
            if ready < 0, errno == EINTR { continue }
            if ready == 0 { return false }
            let count = Glibc.read(descriptor, &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            if count <= 0 { return true }
            pending += buffer[..<count]
            while let end = pending.firstIndex(of: 0x0A) {
                take(Array(pending[..<end]), &report)
                pending.removeSubrange(...end)
            }
            if pending.count > 1 << 20 { return true }
        }
    }

    private static func take(_ line: [UInt8], _ report: inout CheckReport) {
        guard let json = try? JSONParser.parse(line) else { return }
        if let step = json["step"]?.stringValue { report.steps.append(step) }
        if let message = json["message"]?.stringValue {
            let severity = json["severity"]?.stringValue.flatMap(CheckFinding.Severity.init(rawValue:)) ?? .error
            let finding = CheckFinding(severity, message)
            if !report.findings.contains(finding) { report.findings.append(finding) }
        }
    }

    private static func judge(_ outcome: Int32, isInTime: Bool, _ timeout: Int, _ report: inout CheckReport) {
        let last = report.steps.last.map { "in \"\($0)\"" } ?? "before its first check"
        if !isInTime {
            report.findings.append(CheckFinding(.error, "It did not come back within \(timeout) seconds \(last)."))
            return
        }
        // wait(2): the low seven bits are the signal that ended the process.
        let signal = outcome & 0x7F
        if signal != 0 {
            let name = strsignal(signal).map { String(cString: $0) } ?? "signal \(signal)"
            report.findings.append(CheckFinding(.error, "It crashed \(last) (\(name))."))
        } else if outcome >> 8 != 0, report.passed {
            report.findings.append(
                CheckFinding(.error, "It ended the process \(last) (exit code \(outcome >> 8 & 0xFF))."))
        } else if report.steps.last != CheckChild.lastStep, report.passed {
            report.findings.append(CheckFinding(.error, "It ended the process \(last)."))
        }
    }

    /// The child's side: checks the plugin in a folder and reports to the parent. Run it in a process of its own.
    ///
    /// - Returns: the exit code.
    package static func runChild(_ folder: String) -> Int32 {
        let check = CheckChild(folder: folder) { json in
            let bytes = json.serializedBytes() + [0x0A]
            _ = bytes.withUnsafeBytes { write(reportDescriptor, $0.baseAddress, $0.count) }
        }
        return check.run() ? 0 : 1
    }
}
