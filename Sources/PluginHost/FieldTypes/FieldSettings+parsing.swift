package import Engine
package import JSON

extension FieldSetting {
    /// The settings that every field has; a type must not name them again.
    static let common: Set<String> = ["id", "name", "type", "system", "hidden", "presentable"]

    /// Reads a type's description of its settings: `[{"name": "min", "type": "integer", "default": 0}, …]`.
    ///
    /// - Throws: ``PluginProblem`` of kind `failed`.
    package static func parse(_ json: JSON) throws(PluginProblem) -> [FieldSetting] {
        guard case .array(let items) = json else {
            throw PluginProblem(.failed, "its settings are no JSON array")
        }
        var settings: [FieldSetting] = []
        for item in items {
            guard let name = item["name"]?.stringValue, !name.isEmpty else {
                throw PluginProblem(.failed, "one of its settings has no name")
            }
            guard !common.contains(name), !settings.contains(where: { $0.name == name }) else {
                throw PluginProblem(.failed, "its setting \"\(name)\" is there already")
            }
            guard let kind = item["type"]?.stringValue.flatMap(Kind.init(rawValue:)) else {
                throw PluginProblem(.failed, "its setting \"\(name)\" has no known type")
            }
            let initial = item["default"] ?? kind.zero
            guard kind.admits(initial) else {
                throw PluginProblem(.failed, "the default of its setting \"\(name)\" is not of its type")
            }
            settings.append(FieldSetting(name: name, kind: kind, initial: initial))
        }
        return settings
    }
}

extension FieldSetting.Kind {
    /// The value of a setting whose description names no default.
    var zero: JSON {
        switch self {
        case .string: ""
        case .integer, .number: 0
        case .bool: false
        case .strings: []
        case .json, .optionalNumber: .null
        }
    }

    /// Whether a value is of this type.
    func admits(_ value: JSON) -> Bool {
        switch self {
        case .string: value.stringValue != nil
        case .integer: value.intValue != nil
        case .number: value.numberValue != nil
        case .bool: value.boolValue != nil
        case .strings: value.arrayValue.map { $0.allSatisfy { $0.stringValue != nil } } ?? value.isNull
        case .json: true
        case .optionalNumber: value.isNull || value.numberValue != nil
        }
    }
}
