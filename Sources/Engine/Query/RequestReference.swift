import JSON

/// A value of the request that a rule or filter names, e.g. `@request.query.tag`.
package enum RequestReference: Sendable, Equatable {
    case context
    case method
    case query(String)
    case header(String)
    /// A key of the body and the path into its value. `isDocument`: the key is a field that holds a JSON document, so
    /// that its whole value is that document's text.
    case body(String, path: [String], isDocument: Bool)
    /// One of the values of the signed-in record that need no look into the database.
    case auth(String)
    /// A path that no request has.
    case nothing

    /// What a reference finds.
    package enum Found: Sendable, Equatable {
        case nothing
        case value(Value)
    }

    /// Looks the value up. A value inside a document is itself taken from the parsed document.
    package func find(in request: RequestInfo) -> Found {
        switch self {
        case .context: return .value(.text(request.context))
        case .method: return .value(.text(request.method))
        case .query(let key): return request.query[key].map { .value(.text($0)) } ?? .nothing
        case .header(let key): return request.headers[key].map { .value(.text($0)) } ?? .nothing
        case .body(let key, let path, let isDocument):
            guard let value = request.bodyValue(key) else { return .nothing }
            if path.isEmpty { return .value(isDocument ? value.asDocument : value) }
            return value.asJSON.value(at: path[...]).map { .value(Value($0.sortedKeys())) } ?? .nothing
        case .auth(let name):
            guard let auth = request.auth else { return .nothing }
            switch name {
            case "collectionId": return .value(.text(auth.collection.id))
            case "collectionName": return .value(.text(auth.collection.name))
            default: return auth.collection.index(of: name).map { .value(auth.values[$0]) } ?? .nothing
            }
        case .nothing: return .nothing
        }
    }
}

extension RequestInfo {
    /// The value of a key of the body.
    func bodyValue(_ key: String) -> Value? { body.last { $0.key == key }?.value }

    /// The members of a body's value: those of an array, nothing for null, otherwise the value alone.
    func bodyMembers(_ key: String) -> [JSON] {
        switch bodyValue(key)?.asJSON {
        case nil, .null: []
        case .array(let members): members
        case .some(let value): [value]
        }
    }

    /// The distinct non-empty strings of a body's value, which may be a JSON array as text too.
    func bodyIDs(_ key: String) -> [String] {
        var seen = Set<String>()
        return bodyMembers(key).flatMap { member -> [String] in
            switch member {
            case .string(let text):
                if text.utf8.first == UInt8(ascii: "["), case .array(let inner)? = try? JSONParser.parse(text) {
                    return inner.compactMap(\.stringValue)
                }
                return [text]
            case .number, .bool: return [LikePattern.text(of: SQLiteDialect.value(Value(member)))]
            case .null, .array, .object: return []
            }
        }.filter { !$0.isEmpty && seen.insert($0).inserted }
    }
}

extension Value {
    /// The text of the JSON document that this value is.
    var asDocument: Value {
        switch self {
        case .json: self
        case .null, .bool, .number, .text: .json(asJSON.serialized())
        }
    }
}

extension JSON {
    /// The value that a path of keys and positions leads to.
    func value(at path: ArraySlice<String>) -> JSON? {
        var current = self
        for key in path {
            switch current {
            case .object(let object):
                guard let next = object[key] else { return nil }
                current = next
            case .array(let members):
                guard let position = Int(key), members.indices.contains(position) else { return nil }
                current = members[position]
            default: return nil
            }
        }
        return current
    }
}
