import JSON

/// What a client sent for a record.
package struct RequestBody: Sendable {
    /// The members as they came.
    package var values: [(key: String, value: Value)]
    /// The files that came along.
    package var uploads: Uploads?
    /// What the keys of this record's files may begin with: something in a batch.
    package var uploadPrefixes = [""]

    package init(values: [(key: String, value: Value)] = [], uploads: Uploads? = nil, uploadPrefixes: [String] = [""]) {
        self.values = values
        self.uploads = uploads
        self.uploadPrefixes = uploadPrefixes
    }
}

/// Loads what a client sent into a record, and keeps it for `@request.body.*`.
package struct RecordBody: Sendable {
    /// The body as rules see it: fields by their name with their normalised value (modifiers applied), other keys as
    /// they came.
    package private(set) var pairs: [(key: String, value: Value)] = []
    /// Where a key is in `pairs`.
    private var places: [String: Int] = [:]

    /// Applies a body to a record.
    /// - Parameters:
    ///   - request: shorter keys are applied first, so that `n` and `n+` in one body combine.
    ///   - isSuperuser: others cannot set hidden fields; only the password of an auth record is taken though it is
    ///     hidden.
    package init(applying request: RequestBody, to record: Record, isSuperuser: Bool) {
        let collection = record.collection
        var body = request.values
        if let uploads = request.uploads {
            body = uploads.merged(into: body, of: collection, prefixes: request.uploadPrefixes)
            record.uploads = uploads
            record.extra["@uploads"] = uploads.description(for: collection, prefixes: request.uploadPrefixes)
        }
        let ordered = body.enumerated().sorted {
            let (a, b) = ($0.element.key.utf8.count, $1.element.key.utf8.count)
            return a != b ? a < b : $0.offset < $1.offset
        }
        for (_, (key, value)) in ordered {
            guard let (index, modifier) = Self.target(of: key, in: collection) else {
                set(key, value)
                if collection.isAuth && (key == "passwordConfirm" || key == "oldPassword") { record.extra[key] = value }
                continue
            }
            let field = collection.fields[index]
            if field.hidden && !isSuperuser && !(collection.isAuth && field.name == "password") { continue }
            if field.shape.isReadOnly {
                set(field.name, record.values[index])
                continue
            }
            if let modifier {
                guard
                    let changed = field.instance.modify(modifier, current: record.values[index], operand: value)
                else {
                    set(key, value)
                    continue
                }
                record.values[index] = changed
            } else {
                record.values[index] = field.instance.normalise(value)
            }
            set(field.name, record.values[index])
        }
    }

    private mutating func set(_ key: String, _ value: Value) {
        if let place = places[key] {
            pairs[place].value = value
        } else {
            places[key] = pairs.count
            pairs.append((key, value))
        }
    }

    /// The field that a key of a body means: `name`, `name+`, `+name`, `name-`, `name:autogenerate`.
    package static func target(of key: String, in collection: Collection) -> (index: Int, modifier: FieldModifier?)? {
        if let index = collection.index(of: key) { return (index, nil) }
        if key.hasSuffix("+"), let index = collection.index(of: String(key.dropLast())) { return (index, .append) }
        if key.hasPrefix("+"), let index = collection.index(of: String(key.dropFirst())) { return (index, .prepend) }
        if key.hasSuffix("-"), let index = collection.index(of: String(key.dropLast())) { return (index, .remove) }
        if key.hasSuffix(":autogenerate"), let index = collection.index(of: String(key.dropLast(13))) {
            return (index, .autogenerate)
        }
        return nil
    }
}
