package import JSON

extension Settings {
    /// What is stored: everything.
    package var storedJSON: JSON { .object(SettingsWriter.object(self, showsSecrets: true)) }

    /// What `/api/settings` answers: everything but the secrets, whose keys are missing.
    package var publicJSON: JSON { .object(SettingsWriter.object(self, showsSecrets: false)) }

    /// These settings with the members of a request's body put in.
    ///
    /// Objects are merged, lists replaced, `null` empties. Names match as Go's `encoding/json/v2` matches them here:
    /// whatever their case, `-` and `_` left out. What is not known is left aside.
    /// - Throws: 400 when a value has the wrong type or one setting is named twice.
    package func applying(patch: JSONObject) throws(ServiceError) -> Settings {
        do throws(SettingsShapeError) {
            return try merging(patch)
        } catch {
            throw .badRequest("An error occurred while loading the submitted data.")
        }
    }

    /// The same without the words for a client.
    func merging(_ object: JSONObject) throws(SettingsShapeError) -> Settings {
        var settings = self
        var reader = SettingsReader(object)
        try settings.visit(&reader)
        return settings
    }
}

/// Writes members into an object.
private struct SettingsWriter: SettingsVisitor {
    var object = JSONObject()
    let showsSecrets: Bool

    static func object(_ part: some SettingsPart, showsSecrets: Bool) -> JSONObject {
        var part = part
        var writer = SettingsWriter(showsSecrets: showsSecrets)
        // A writer only takes what it sees, so nothing is thrown.
        try? part.visit(&writer)
        return writer.object
    }

    mutating func member(_ key: String, _ value: inout Bool) { object.append(key, .bool(value)) }
    mutating func member(_ key: String, _ value: inout Int) { object.append(key, .number(Double(value))) }
    mutating func member(_ key: String, _ value: inout String) { object.append(key, .string(value)) }
    mutating func member(_ key: String, _ value: inout [String]) {
        object.append(key, .array(value.map { .string($0) }))
    }
    mutating func member<Part: SettingsPart>(_ key: String, _ value: inout Part) {
        object.append(key, .object(Self.object(value, showsSecrets: showsSecrets)))
    }
    mutating func member<Part: SettingsPart>(_ key: String, _ value: inout [Part]) {
        object.append(key, .array(value.map { .object(Self.object($0, showsSecrets: showsSecrets)) }))
    }
    mutating func secret(_ key: String, _ value: inout String, omitsEmpty: Bool) {
        if showsSecrets, !(omitsEmpty && value.isEmpty) { object.append(key, .string(value)) }
    }
}

/// Reads members from an object.
private struct SettingsReader: SettingsVisitor {
    private var members: [String: JSON] = [:]
    /// Names given twice: refused when they name a setting.
    private var seenTwice: Set<String> = []

    init(_ object: JSONObject) {
        for (key, value) in object where members.updateValue(value, forKey: Self.fold(key)) != nil {
            seenTwice.insert(Self.fold(key))
        }
    }

    private static func fold(_ key: String) -> String {
        var folded = ""
        for scalar in key.unicodeScalars where scalar != "_" && scalar != "-" {
            let upper = ("A"..."Z").contains(scalar)
            folded.unicodeScalars.append(upper ? Unicode.Scalar(UInt8(scalar.value + 32)) : scalar)
        }
        return folded
    }

    private func take(_ key: String) throws(SettingsShapeError) -> JSON? {
        let folded = Self.fold(key)
        if !seenTwice.isEmpty, seenTwice.contains(folded) { throw SettingsShapeError(key: key) }
        return members[folded]
    }

    mutating func member(_ key: String, _ value: inout Bool) throws(SettingsShapeError) {
        switch try take(key) {
        case nil: break
        case .null: value = false
        case .bool(let new): value = new
        default: throw SettingsShapeError(key: key)
        }
    }

    mutating func member(_ key: String, _ value: inout Int) throws(SettingsShapeError) {
        guard let json = try take(key) else { return }
        if json.isNull {
            value = 0
        } else if let new = json.intValue {
            value = new
        } else {
            throw SettingsShapeError(key: key)
        }
    }

    mutating func member(_ key: String, _ value: inout String) throws(SettingsShapeError) {
        guard let json = try take(key) else { return }
        value = try Self.text(json, key)
    }

    mutating func secret(_ key: String, _ value: inout String, omitsEmpty: Bool) throws(SettingsShapeError) {
        try member(key, &value)
    }

    mutating func member(_ key: String, _ value: inout [String]) throws(SettingsShapeError) {
        switch try take(key) {
        case nil: break
        case .null: value = []
        case .array(let elements):
            value = []
            for element in elements { value.append(try Self.text(element, key)) }
        default: throw SettingsShapeError(key: key)
        }
    }

    mutating func member<Part: SettingsPart>(_ key: String, _ value: inout Part) throws(SettingsShapeError) {
        guard let json = try take(key) else { return }
        value = try Self.part(json, key, into: value)
    }

    mutating func member<Part: SettingsPart>(_ key: String, _ value: inout [Part]) throws(SettingsShapeError) {
        switch try take(key) {
        case nil: break
        case .null: value = []
        case .array(let elements):
            value = []
            for element in elements { value.append(try Self.part(element, key, into: .zero)) }
        default: throw SettingsShapeError(key: key)
        }
    }

    private static func text(_ json: JSON, _ key: String) throws(SettingsShapeError) -> String {
        if json.isNull { return "" }
        guard let text = json.stringValue else { throw SettingsShapeError(key: key) }
        return text
    }

    private static func part<Part: SettingsPart>(
        _ json: JSON, _ key: String, into part: Part
    ) throws(SettingsShapeError) -> Part {
        if json.isNull { return .zero }
        guard let object = json.objectValue else { throw SettingsShapeError(key: key) }
        var part = part
        var reader = SettingsReader(object)
        try part.visit(&reader)
        return part
    }
}
