package import JSON

/// The shape of a group of settings whose members are known by name and type, such as the options of an auth
/// collection: what a new one looks like, how a request's JSON is laid over an existing one, and what is stored.
///
/// PocketBase reads a request into the collection that is saved already, so that what a request does not mention stays
/// and `null` empties; lists are replaced as a whole.
package indirect enum OptionShape: Sendable {
    case string
    case bool
    case integer
    /// A string or null.
    case optionalString
    /// A boolean or null.
    case optionalBool
    case strings
    /// An object of anything; its keys are stored sorted.
    case dictionary
    case group([Member])
    /// A list of groups.
    case list([Member])

    package struct Member: Sendable {
        package var name: String
        package var shape: OptionShape
        /// Whether the member is left out where it is an empty string or object, as secrets are.
        package var omitsEmpty: Bool
        package init(_ name: String, _ shape: OptionShape, omitsEmpty: Bool = false) {
            self.name = name
            self.shape = shape
            self.omitsEmpty = omitsEmpty
        }
    }

    /// A value of another JSON type than the shape has.
    package struct WrongType: Error {}

    /// The value of something never set.
    package var zero: JSON {
        switch self {
        case .string: .string("")
        case .bool: .bool(false)
        case .integer: .number(0)
        case .optionalString, .optionalBool: .null
        case .strings, .list: .array([])
        case .dictionary: .object(JSONObject())
        case .group(let members): .object(JSONObject(members.map { ($0.name, $0.shape.zero) }))
        }
    }

    /// Lays what came in over what is there.
    ///
    /// - Returns: a complete value, its members in the shape's order; members that the shape does not know are dropped.
    /// - Throws: ``WrongType``.
    package func merging(_ incoming: JSON, over current: JSON) throws(WrongType) -> JSON {
        switch (self, incoming) {
        case (_, .null): return zero
        case (.string, .string), (.optionalString, .string), (.bool, .bool), (.optionalBool, .bool): return incoming
        case (.integer, .number(let value)):
            guard value.rounded(.towardZero) == value, abs(value) < 9.3e18 else { throw WrongType() }
            return incoming
        case (.strings, .array(let elements)):
            var result: [JSON] = []
            for element in elements { result.append(try OptionShape.string.merging(element, over: .null)) }
            return .array(result)
        case (.dictionary, .object): return incoming.sortedKeys()
        case (.group(let members), .object(let object)):
            var result = JSONObject()
            for member in members {
                let old = current[member.name] ?? member.shape.zero
                result.append(member.name, try object[member.name].mergingMember(member.shape, old))
            }
            return .object(result)
        case (.list(let members), .array(let elements)):
            let group = OptionShape.group(members)
            var result: [JSON] = []
            for element in elements { result.append(try group.merging(element, over: group.zero)) }
            return .array(result)
        default: throw WrongType()
        }
    }

    /// What is written: complete values, with empty members left out where the shape says so.
    package func encoding(_ value: JSON) -> JSON {
        switch (self, value) {
        case (.group(let members), .object(let object)):
            var result = JSONObject()
            for member in members {
                let inner = member.shape.encoding(object[member.name] ?? member.shape.zero)
                if member.omitsEmpty, inner.stringValue == "" || inner.objectValue?.isEmpty == true { continue }
                result.append(member.name, inner)
            }
            return .object(result)
        case (.list(let members), .array(let elements)):
            return .array(elements.map { OptionShape.group(members).encoding($0) })
        default: return value
        }
    }
}

extension JSON? {
    /// The member's value after the merge: what was not mentioned stays.
    fileprivate func mergingMember(_ shape: OptionShape, _ old: JSON) throws(OptionShape.WrongType) -> JSON {
        guard let self else { return old }
        return try shape.merging(self, over: old)
    }
}

extension JSON {
    /// The value at a path of object keys.
    func at(_ path: String...) -> JSON? {
        var value: JSON? = self
        for key in path { value = value?.objectValue?[key] }
        return value
    }

    /// The same object with the value at a path of keys replaced; nothing changes where the path leads nowhere.
    func setting(_ path: ArraySlice<String>, _ value: JSON) -> JSON {
        guard let key = path.first, var object = objectValue else { return path.isEmpty ? value : self }
        if path.count == 1 {
            object[key] = value
        } else if let inner = object[key] {
            object[key] = inner.setting(path.dropFirst(), value)
        }
        return .object(object)
    }
}
