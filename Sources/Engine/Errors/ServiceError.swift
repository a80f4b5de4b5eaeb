package import JSON

/// What one field or setting has against its value, in PocketBase's form: a stable code for programs, a sentence for
/// people, and the parameters that the sentence was made with.
package struct FieldFailure: Error, Sendable, Equatable {
    package var code: String
    package var message: String
    package var params: JSONObject

    package init(_ code: String, _ message: String, params: JSONObject = JSONObject()) {
        self.code = code
        self.message = message
        self.params = params
    }

    package static let required = FieldFailure("validation_required", "Cannot be blank.")
    package static let invalidValue = FieldFailure("validation_invalid_value", "Invalid value.")
}

/// A tree of failures: field -> failure, or field -> key -> … -> failure for nested settings and batches.
package indirect enum FailureTree: Sendable, Equatable {
    case failure(FieldFailure)
    case nested([String: FailureTree])
    /// A part of an answer that is not a failure but belongs into `data` as it is (the answers inside a batch).
    case raw(JSON)

    /// The JSON of an answer's `data`; object keys are sorted, as Go's maps are written.
    package var json: JSON {
        switch self {
        case .raw(let json): return json
        case .failure(let failure):
            var object = JSONObject()
            object["code"] = .string(failure.code)
            object["message"] = .string(Sentence.make(failure.message))
            if failure.params.count > 0 { object["params"] = .object(failure.params) }
            return .object(object)
        case .nested(let children):
            var object = JSONObject()
            for key in children.keys.sorted() {
                if let child = children[key] { object[key] = child.json }
            }
            return .object(object)
        }
    }
}

/// An error made for the client: everything else is logged and answered with a plain 400 or 500.
package struct ServiceError: Error, Sendable, Equatable {
    package var status: Int
    package var message: String
    package var data: [String: FailureTree]

    package init(status: Int, message: String, data: [String: FailureTree] = [:]) {
        self.status = status
        self.message = message
        self.data = data
    }

    package static func badRequest(
        _ message: String = "", _ data: [String: FailureTree] = [:]
    ) -> ServiceError {
        .init(
            status: 400, message: message.isEmpty ? "Something went wrong while processing your request." : message,
            data: data)
    }
    package static func unauthorized(_ message: String = "") -> ServiceError {
        .init(status: 401, message: message.isEmpty ? "Missing or invalid authentication." : message)
    }
    package static func forbidden(_ message: String = "") -> ServiceError {
        .init(status: 403, message: message.isEmpty ? "You are not allowed to perform this request." : message)
    }
    /// Too much is waiting already.
    package static let overloaded = ServiceError(status: 503, message: "The server is overloaded, try again later.")

    package static func notFound(_ message: String = "") -> ServiceError {
        .init(status: 404, message: message.isEmpty ? "The requested resource wasn't found." : message)
    }
    package static func tooLarge() -> ServiceError {
        .init(status: 413, message: "Request entity too large")
    }
    package static func tooMany(_ message: String = "") -> ServiceError {
        .init(status: 429, message: message.isEmpty ? "Too Many Requests." : message)
    }
    package static func `internal`(_ message: String = "") -> ServiceError {
        .init(status: 500, message: message.isEmpty ? "Something went wrong while processing your request." : message)
    }

    /// The failures of a record's or a collection's fields under a common sentence.
    package static func validation(_ message: String, _ failures: [String: FieldFailure]) -> ServiceError {
        .badRequest(message, failures.mapValues { .failure($0) })
    }

    /// The body of the answer: `{"data":{…},"message":"…","status":n}`, the keys in PocketBase's order.
    package var body: JSON {
        [
            "data": FailureTree.nested(data).json, "message": .string(Sentence.make(message)),
            "status": .number(Double(status)),
        ]
    }
}

/// Messages are shown as sentences: a capital letter first and a full stop last, as PocketBase shows them.
package enum Sentence {
    package static func make(_ text: String) -> String {
        var text = text
        while let first = text.first, first == " " { text.removeFirst() }
        while let last = text.last, last == " " { text.removeLast() }
        guard let first = text.first, let last = text.last else { return "" }
        text.replaceSubrange(text.startIndex...text.startIndex, with: first.uppercased())
        if last != "." && last != "?" && last != "!" { text += "." }
        return text
    }
}
