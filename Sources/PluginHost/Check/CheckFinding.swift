package import JSON

/// Something that `roost plugin check` found.
package struct CheckFinding: Sendable, Equatable {
    package enum Severity: String, Sendable {
        /// The plugin breaks the contract.
        case error
        /// It works, but not as it should.
        case warning
    }

    package var severity: Severity
    package var message: String

    package init(_ severity: Severity, _ message: String) {
        self.severity = severity
        self.message = message
    }
}

/// What came of a check.
package struct CheckReport: Sendable {
    /// The plugin's id; its folder's name when the manifest cannot be read.
    package var id: String
    package var version = ""
    /// What was tried, in order.
    package var steps: [String] = []
    package var findings: [CheckFinding] = []

    package init(id: String) { self.id = id }

    /// Whether nothing was found that keeps the plugin from being used.
    package var passed: Bool { !findings.contains { $0.severity == .error } }

    package var json: JSON {
        [
            "id": .string(id), "version": .string(version), "passed": .bool(passed),
            "steps": .array(steps.map { .string($0) }),
            "findings": .array(
                findings.map { ["severity": .string($0.severity.rawValue), "message": .string($0.message)] }),
        ]
    }

    /// The report for people, a line each.
    package var lines: [String] {
        findings.map { "\($0.severity.rawValue): \($0.message)" }
            + ["\(id) \(version): \(steps.count) checks, " + (passed ? "passed" : "failed")]
    }
}
