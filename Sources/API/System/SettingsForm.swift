import JSON

/// Settings that come as a form: a key is a path (`meta.appName`), a value a text for what is there now.
enum SettingsForm {
    /// The patch that a form means. Keys that name nothing, or a whole group, are left out.
    /// - Parameter current: the settings as JSON, which tell what a text is to become.
    static func patch(_ pairs: [(name: String, value: String)], current: JSONObject) -> JSONObject {
        var order: [String] = []
        var values: [String: [String]] = [:]
        for (name, value) in pairs {
            if values[name] == nil { order.append(name) }
            values[name, default: []].append(value)
        }
        var patch = JSONObject()
        for name in order {
            let path = name.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
            set(&patch, path[...], values[name] ?? [], current)
        }
        return patch
    }

    private static func set(
        _ patch: inout JSONObject, _ path: ArraySlice<String>, _ texts: [String], _ current: JSONObject
    ) {
        guard let key = path.first else { return }
        let rest = path.dropFirst()
        if !rest.isEmpty {
            guard case .object(let below)? = current[key] else { return }
            var object = patch[key]?.objectValue ?? JSONObject()
            set(&object, rest, texts, below)
            if !object.isEmpty { patch[key] = .object(object) }
            return
        }
        let last = texts.last ?? ""
        switch current[key] {
        case .object?: return
        case .array?: patch[key] = .array(texts.map { .string($0) })
        case .bool?: patch[key] = .bool(["1", "t", "T", "true", "TRUE", "True"].contains(last))
        case .number?: patch[key] = Double(last).map { JSON.number($0) } ?? JSON.string(last)
        case .string?, .null?: patch[key] = .string(last)
        case nil: return
        }
    }
}
