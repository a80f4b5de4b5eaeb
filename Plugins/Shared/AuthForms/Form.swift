package import PluginKit

/// The body of a request to one of these routes: a handful of texts and numbers, read as strictly as PocketBase reads
/// them.
package struct Form {
    private let members: JSONObject
    /// Whether they come from a form, where everything is text.
    private let isLoose: Bool

    package static let malformed = ServiceError.badRequest("An error occurred while loading the submitted data.")

    /// - Throws: 400 for a body that cannot be read.
    package init(_ request: HTTPRequest) throws {
        let body = request.body
        let type = request.header("Content-Type") ?? ""
        if body.isEmpty {
            members = JSONObject()
            isLoose = false
        } else if type.hasPrefix("application/json") {
            // What follows the first value is not looked at.
            let options = JSONParser.Options(
                allowTrailing: true, rejectDuplicateKeys: false, rejectLongMarks: true)
            guard let json = try? JSONParser.parse(body, options: options) else { throw Self.malformed }
            guard let object = json.isNull ? JSONObject() : json.objectValue else { throw Self.malformed }
            members = object
            isLoose = false
        } else if type.hasPrefix("multipart/form-data") || type.hasPrefix("application/x-www-form-urlencoded") {
            guard let object = try? request.json() else { throw Self.malformed }
            members = object
            isLoose = true
        } else {
            throw ServiceError.badRequest("Unsupported Content-Type.")
        }
    }

    /// The member of a name, for JSON in any case, as Go takes it.
    private func member(_ name: String) -> JSON? {
        if let exact = members[name] { return exact }
        if isLoose { return nil }
        return members.first { $0.key.utf8.count == name.utf8.count && $0.key.lowercased() == name.lowercased() }?.value
    }

    /// A text; empty when it is missing or null.
    ///
    /// - Throws: 400 when it is something else.
    package func text(_ name: String) throws -> String {
        switch member(name) {
        case nil, .null: return ""
        case .string(let text): return text
        case .array(let list) where isLoose: return try list.first.map(Self.text) ?? ""
        case .some(let other):
            guard isLoose else { throw Self.malformed }
            return try Self.text(other)
        }
    }

    /// A form's value as it was sent: the host makes numbers and booleans only of texts that are their usual form.
    private static func text(_ json: JSON) throws -> String {
        switch json {
        case .string(let text): text
        case .bool, .number: json.serialized()
        case .null, .array, .object: throw malformed
        }
    }

    /// An object; empty when it is missing or null. A form has it as JSON.
    ///
    /// - Throws: 400 when it is something else.
    package func object(_ name: String) throws -> JSONObject {
        switch member(name) {
        case nil, .null: return [:]
        case .object(let object): return object
        case .string(let text) where isLoose:
            guard let object = try? JSONParser.parse(text).objectValue else { throw Self.malformed }
            return object
        default: throw Self.malformed
        }
    }

    /// An integer; 0 when it is missing or null.
    ///
    /// - Throws: 400 when it is something else.
    package func integer(_ name: String) throws -> Int64 {
        switch member(name) {
        case nil, .null: return 0
        case .number(let number):
            if let integer = Int64(exactly: number) { return integer }
            // The largest integer is no Double; its nearest one is the next above.
            if number == 0x1p63 { return .max }
            throw Self.malformed
        case .string(let text) where isLoose && text.isEmpty: return 0
        default: throw Self.malformed
        }
    }
}

extension Failure {
    package static let lengthOutOfRange = Failure(
        "validation_length_out_of_range", "The length must be between 1 and 255.", params: ["max": 255, "min": 1])
    package static let notInList = Failure("validation_in_invalid", "Must be a valid value.")
}

extension ServiceError {
    /// The failures of a form's members; nil when there are none.
    package static func invalidForm(_ failures: [String: Failure]) -> ServiceError? {
        failures.isEmpty
            ? nil : .badRequest("An error occurred while validating the submitted data.", fields: failures)
    }
}

extension String {
    /// Whether both are the same bytes. `==` takes texts for equal that only look alike, such as é and e with an accent,
    /// and so two people's addresses for one.
    package func isSame(as other: String) -> Bool { utf8.elementsEqual(other.utf8) }
}
