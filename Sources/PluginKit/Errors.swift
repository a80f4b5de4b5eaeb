internal import PluginABI

/// What one field or setting has against its value: a stable code for programs, a sentence for people, and the numbers
/// and names that the sentence was made with.
public struct Failure: Error, Sendable, Equatable {
    public var code: String
    public var message: String
    public var params: JSONObject

    /// - Parameters:
    ///   - code: snake case, e.g. `validation_invalid_color`.
    ///   - message: one sentence; `{{.name}}` is replaced by that parameter.
    public init(_ code: String, _ message: String, params: JSONObject = JSONObject()) {
        self.code = code
        self.params = params
        self.message = params.isEmpty ? message : Failure.fill(message, params)
    }

    /// Replaces the placeholders, without the standard library's string search, which would bring a library with it.
    private static func fill(_ message: String, _ params: JSONObject) -> String {
        let text = Array(message.utf8)
        var result: [UInt8] = []
        var position = 0
        while position < text.count {
            guard text[position...].starts(with: "{{.".utf8),
                let end = text[position...].firstIndex(of: UInt8(ascii: "}"))
            else {
                result.append(text[position])
                position += 1
                continue
            }
            let name = String(decoding: text[(position + 3)..<end], as: UTF8.self)
            result += (params[name].map(shown) ?? "").utf8
            position = end + 2
        }
        return String(decoding: result, as: UTF8.self)
    }

    private static func shown(_ value: JSON) -> String {
        switch value {
        case .string(let text): text
        // As Go prints a slice.
        case .array(let members): "[" + members.map(shown).joined(separator: " ") + "]"
        default: value.serialized()
        }
    }
}

extension Failure {
    /// The value is needed and missing.
    public static var required: Failure { Failure("validation_required", "Cannot be blank.") }
    /// The value must not be there.
    public static var notEmpty: Failure { Failure("validation_empty", "Must be blank.") }
    /// Something is wrong with the value.
    public static var invalidValue: Failure { Failure("validation_invalid_value", "Invalid value.") }
    /// The value is of a type that it cannot have.
    public static var unsupportedValue: Failure {
        Failure("validation_unsupported_value_type", "Invalid or unsupported value type.")
    }
    /// The value is below a threshold.
    public static func below(_ threshold: JSON) -> Failure {
        Failure(
            "validation_min_greater_equal_than_required", "Must be no less than {{.threshold}}.",
            params: ["threshold": threshold])
    }
    /// The value is above a threshold.
    public static func above(_ threshold: JSON) -> Failure {
        Failure(
            "validation_max_less_equal_than_required", "Must be no greater than {{.threshold}}.",
            params: ["threshold": threshold])
    }
}

/// An error made for the client. Everything else that a handler throws is logged and answered with a plain 500.
public struct ServiceError: Error, Sendable {
    public var status: Int
    public var message: String
    /// Failures by field.
    public var fields: [String: Failure]

    public init(status: Int, message: String = "", fields: [String: Failure] = [:]) {
        self.status = status
        self.message = message.isEmpty ? ServiceError.usualMessage(status) : message
        self.fields = fields
    }

    public static func badRequest(_ message: String = "", fields: [String: Failure] = [:]) -> ServiceError {
        ServiceError(status: 400, message: message, fields: fields)
    }
    public static func unauthorized(_ message: String = "") -> ServiceError {
        ServiceError(status: 401, message: message)
    }
    public static func forbidden(_ message: String = "") -> ServiceError {
        ServiceError(status: 403, message: message)
    }
    public static func notFound(_ message: String = "") -> ServiceError {
        ServiceError(status: 404, message: message)
    }
    public static func tooManyRequests(_ message: String = "") -> ServiceError {
        ServiceError(status: 429, message: message)
    }

    /// Too much is waiting.
    public static var overloaded: ServiceError {
        ServiceError(status: 503, message: "The server is overloaded, try again later.")
    }

    private static func usualMessage(_ status: Int) -> String {
        switch status {
        case 401: "You are not allowed to perform this request."
        case 403: "You are not allowed to perform this request."
        case 404: "The requested resource wasn't found."
        case 429: "Too Many Requests."
        default: "Something went wrong while processing your request."
        }
    }

    /// The `data` of the answer.
    public var data: JSONObject {
        var data = JSONObject()
        for (field, failure) in fields.sorted(by: { $0.key < $1.key }) {
            var entry: JSONObject = ["code": .string(failure.code), "message": .string(failure.message)]
            if !failure.params.isEmpty { entry["params"] = .object(failure.params) }
            data[field] = .object(entry)
        }
        return data
    }
}

/// A call into the host that failed. Thrown by this SDK; a handler that lets it pass answers as the host does.
public struct HostError: Error, Sendable, Equatable, CustomStringConvertible {
    /// A `ROOST_E…` code.
    public let status: Int32
    /// The table that was not granted, if that is why.
    public let table: String?

    init(status: Int32, table: String? = nil) {
        self.status = status
        self.table = table
    }

    static func denied(_ table: String) -> HostError { HostError(status: ROOST_EDENIED, table: table) }

    /// Refused for reasons that the host has noted for the answer already, e.g. a record that is not valid.
    public var isRefusal: Bool { status == ROOST_EFAILED }
    public var isNotFound: Bool { status == ROOST_ENOTFOUND }
    public var isConflict: Bool { status == ROOST_ECONFLICT }
    /// The operator has not granted what the call needs.
    public var isDenied: Bool { status == ROOST_EDENIED }
    /// The thread may not wait for what the call needs.
    public var isWrongThread: Bool { status == ROOST_ETHREAD }
    /// The request, record or call is over.
    public var isStale: Bool { status == ROOST_ESTALE }

    public var description: String {
        let words =
            switch status {
            case ROOST_EFAILED: "refused"
            case ROOST_EINVALID: "invalid parameter"
            case ROOST_ENOTFOUND: "not found"
            case ROOST_EDENIED: table.map { "no access to \($0)" } ?? "not granted"
            case ROOST_ESTALE: "over already"
            case ROOST_ETHREAD: "called on the wrong thread"
            case ROOST_ENOMEM: "out of memory"
            case ROOST_EUNSUPPORTED: "not supported"
            case ROOST_ECONFLICT: "exists already"
            default: "internal error"
            }
        return "roost: \(words) (\(status))"
    }
}

/// Throws for the error codes of the host; a function that a table lacks is unsupported.
@discardableResult
@inline(__always)
func check(_ status: roost_status?) throws -> roost_status {
    guard let status else { throw HostError(status: ROOST_EUNSUPPORTED) }
    if status < 0 { throw HostError(status: status) }
    return status
}
