import Marks
package import Engine
package import JSON
import NIOCore
package import WebServer

/// Reads a request's body as PocketBase does, by its content type.
package enum BodyReader {
    /// The members of a body that becomes a record.
    /// - Throws: `ServiceError` 400 for a malformed one.
    package static func read(_ request: Request) throws -> RequestBody {
        switch try document(request) {
        case .json(.object(let object)): return RequestBody(values: object.map { ($0.key, Value($0.value)) })
        case .json(.null), .empty: return RequestBody()
        case .json: throw ServiceError.badRequest()
        case .form(let pairs): return RequestBody(values: try values(of: pairs))
        }
    }

    /// The same for a form that came with files.
    static func read(_ form: UploadReceiver.Form, of request: Request) throws -> RequestBody {
        RequestBody(values: try values(of: form.pairs + request.queryItems), uploads: form.uploads)
    }

    /// A form as a JSON object.
    static func object(_ form: UploadReceiver.Form, of request: Request) throws -> JSONObject {
        var object = JSONObject()
        for (key, value) in try values(of: form.pairs + request.queryItems) { object[key] = value.asJSON }
        return object
    }

    /// The body as a JSON object, for routes that read a document rather than a record.
    /// - Parameter failure: the answer to a malformed body.
    package static func object(_ request: Request, _ failure: ServiceError = .badRequest()) throws -> JSONObject {
        do {
            switch try document(request) {
            case .json(.object(let object)): return object
            case .json(.null), .empty: return JSONObject()
            case .json: throw failure
            case .form(let pairs):
                var object = JSONObject()
                for (key, value) in try values(of: pairs) { object[key] = value.asJSON }
                return object
            }
        } catch {
            throw failure
        }
    }

    enum Document {
        case empty
        case json(JSON)
        case form([(name: String, value: String)])
    }

    static func document(_ request: Request) throws -> Document {
        let buffer = request.body
        let type = request.headers.first("Content-Type") ?? ""
        if buffer.readableBytes == 0 {
            // A form without even its last boundary is cut short.
            if type.hasPrefix("multipart/form-data") {
                throw ServiceError.badRequest("Failed to read the submitted data.")
            }
            return .empty
        }
        if type.hasPrefix("application/json") {
            let parsed = buffer.withUnsafeReadableBytes { bytes in
                Result { try JSONParser.parse(bytes.bindMemory(to: UInt8.self), options: options) }
            }
            guard let json = try? parsed.get() else { throw ServiceError.badRequest() }
            return .json(json)
        }
        if type.hasPrefix("multipart/form-data") {
            guard let boundary = HeaderParameters(type)["boundary"],
                let parts = try? MultipartForm.parse(buffer, boundary: boundary)
            else { throw ServiceError.badRequest() }
            let texts = parts.filter { $0.filename == nil }.map { (name: $0.name, value: String(buffer: $0.bytes)) }
            return .form(texts + request.queryItems)
        }
        if type.hasPrefix("application/x-www-form-urlencoded") {
            guard buffer.withUnsafeReadableBytes({ isEscaped($0) }) else { throw ServiceError.badRequest() }
            let pairs = buffer.withUnsafeReadableBytes { URLEncodedForm.parse($0) }
            return .form(pairs + request.queryItems)
        }
        // PocketBase tries to read XML, which has no members that a record could take.
        if type.hasPrefix("application/xml") || type.hasPrefix("text/xml") { throw ServiceError.badRequest() }
        throw ServiceError.badRequest("Unsupported Content-Type.")
    }

    /// Whether every percent sign begins two hexadecimal digits, and nothing separates pairs as forms once did.
    private static func isEscaped(_ bytes: UnsafeRawBufferPointer) -> Bool {
        var index = 0
        func isHex(_ index: Int) -> Bool {
            guard index < bytes.count else { return false }
            return (48...57).contains(bytes[index]) || (65...70).contains(bytes[index] & 0xDF)
        }
        while index < bytes.count {
            if bytes[index] == UInt8(ascii: ";") { return false }
            if bytes[index] == UInt8(ascii: "%") && !(isHex(index + 1) && isHex(index + 2)) { return false }
            index += 1
        }
        return true
    }

    /// Not as deep as any parse goes: what is stored stands deeper in answers, which are parsed again.
    static let options = JSONParser.Options(maxDepth: 960, allowTrailing: true, rejectLongMarks: true)

    /// The values of a form: a key that comes once is one value, else a list; texts that look like numbers or booleans
    /// become them; `@jsonPayload` holds members as JSON.
    static func values(of pairs: [(name: String, value: String)]) throws -> [(key: String, value: Value)] {
        var order: [String] = []
        var grouped: [String: [JSON]] = [:]
        var payloads: [String] = []
        for (name, value) in pairs {
            guard CombiningMarks.areFew(in: name), CombiningMarks.areFew(in: value) else {
                throw ServiceError.badRequest()
            }
            if name == "@jsonPayload" {
                payloads.append(value)
                continue
            }
            if grouped[name] == nil { order.append(name) }
            grouped[name, default: []].append(infer(value))
        }
        var values: [(key: String, value: Value)] = order.map { key in
            let list = grouped[key] ?? []
            return (key, list.count == 1 ? Value(list[0]) : Value(.array(list)))
        }
        for payload in payloads {
            guard let json = try? JSONParser.parse(payload, options: .init(maxDepth: 960, rejectLongMarks: true)) else {
                throw ServiceError.badRequest()
            }
            guard case .object(let object) = json else {
                // No object at all, as Go's decoder has it.
                if json.isNull {
                    values = []
                    continue
                }
                throw ServiceError.badRequest()
            }
            var places = Dictionary(values.enumerated().map { ($1.key, $0) }, uniquingKeysWith: { first, _ in first })
            for (key, value) in object {
                if let place = places[key] {
                    values[place].value = Value(value)
                } else {
                    places[key] = values.count
                    values.append((key, Value(value)))
                }
            }
        }
        return values
    }

    /// A form's text as the value it most likely means: `true`, `false`, a number in its shortest form, else the text.
    static func infer(_ text: String) -> JSON {
        switch text {
        case "": return .string("")
        case "true": return .bool(true)
        case "false": return .bool(false)
        default:
            guard let first = text.utf8.first, first == UInt8(ascii: "-") || (48...57).contains(first),
                let number = Double(text), number.isFinite, JSON.number(number).serialized() == text
            else { return .string(text) }
            return .number(number)
        }
    }
}
