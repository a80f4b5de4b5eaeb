package import JSON

/// One thing that `roost doctor` looked at.
package struct Finding: Sendable {
    package enum State: String, Sendable {
        case ok
        /// Works, but the operator should know.
        case warning
        /// Does not work, or data is in danger.
        case error
    }

    /// What was looked at: a word that stays the same.
    package let check: String
    package let state: State
    /// What was found.
    package let message: String
    /// What to do about it; empty when nothing is to be done.
    package let advice: String

    static func ok(_ check: String, _ message: String) -> Finding {
        Finding(check: check, state: .ok, message: message, advice: "")
    }
    static func warning(_ check: String, _ message: String, _ advice: String) -> Finding {
        Finding(check: check, state: .warning, message: message, advice: advice)
    }
    static func error(_ check: String, _ message: String, _ advice: String) -> Finding {
        Finding(check: check, state: .error, message: message, advice: advice)
    }

    package var json: JSON {
        [
            "check": .string(check), "state": .string(state.rawValue), "message": .string(message),
            "advice": .string(advice),
        ]
    }
}
