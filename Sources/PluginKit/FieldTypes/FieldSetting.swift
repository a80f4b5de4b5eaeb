internal import PluginABI

/// One setting of a field type. The host refuses wrong types, fills in defaults and shows it in the dashboard's form.
public struct FieldSetting: Sendable {
    public enum Kind: String, Sendable {
        case string, integer, number, bool, strings, json
        /// A number or null.
        case optionalNumber
    }

    public var name: String
    public var kind: Kind
    /// What a field that does not mention the setting has.
    public var initial: JSON

    public init(_ name: String, _ kind: Kind, default initial: JSON) {
        self.name = name
        self.kind = kind
        self.initial = initial
    }

    public static func string(_ name: String, default initial: String = "") -> FieldSetting {
        FieldSetting(name, .string, default: .string(initial))
    }
    public static func integer(_ name: String, default initial: Int = 0) -> FieldSetting {
        FieldSetting(name, .integer, default: .number(Double(initial)))
    }
    public static func number(_ name: String, default initial: Double = 0) -> FieldSetting {
        FieldSetting(name, .number, default: .number(initial))
    }
    public static func optionalNumber(_ name: String) -> FieldSetting {
        FieldSetting(name, .optionalNumber, default: .null)
    }
    public static func bool(_ name: String, default initial: Bool = false) -> FieldSetting {
        FieldSetting(name, .bool, default: .bool(initial))
    }
    public static func strings(_ name: String, default initial: [String] = []) -> FieldSetting {
        FieldSetting(name, .strings, default: .array(initial.map { .string($0) }))
    }
    public static func json(_ name: String, default initial: JSON = .null) -> FieldSetting {
        FieldSetting(name, .json, default: initial)
    }

    var json: JSON { ["name": .string(name), "type": .string(kind.rawValue), "default": initial] }
}

/// The settings of one field: complete and of the right types, and the field's `name` and `system`.
public struct FieldSettings {
    /// The settings as JSON.
    public let json: JSONObject
    let call: Call

    /// The name of the field.
    public var name: String { string("name") }
    public var isSystem: Bool { bool("system") }

    public func string(_ name: String) -> String { json[name]?.stringValue ?? "" }
    public func bool(_ name: String) -> Bool { json[name]?.boolValue ?? false }
    public func number(_ name: String) -> Double { json[name]?.numberValue ?? 0 }
    public func optionalNumber(_ name: String) -> Double? { json[name]?.numberValue }
    /// A whole number; what is beyond `Int` becomes its limit.
    public func integer(_ name: String) -> Int {
        guard let number = json[name]?.numberValue, number == number else { return 0 }
        return Int(exactly: number.rounded(.towardZero)) ?? (number < 0 ? .min : .max)
    }
    public func strings(_ name: String) -> [String] {
        json[name]?.arrayValue?.compactMap(\.stringValue) ?? []
    }

    /// The compiled pattern of a setting; nil when it is empty.
    ///
    /// - Throws: when it is none.
    public func pattern(_ name: String) throws -> Pattern? {
        let text = string(name)
        return text.isEmpty ? nil : try Pattern(text, call)
    }

    /// Compiles a pattern that is no setting.
    public func compile(_ pattern: String) throws -> Pattern { try Pattern(pattern, call) }
}

/// The settings of a field that is about to be saved, and the place for what is wrong with them.
public final class SettingsCheck {
    /// The settings to check. Also has what every field has: `id`, `hidden`, `presentable`.
    public let settings: FieldSettings
    /// The collection as it is about to be saved.
    public let collection: JSON
    /// The same field as it is saved now; nil when it is new.
    public let original: FieldSettings?
    private(set) var failed: Set<String> = []

    init(_ settings: FieldSettings, _ collection: JSON, _ original: FieldSettings?) {
        self.settings = settings
        self.collection = collection
        self.original = original
    }

    /// The collections that there are.
    public var records: Records { Records(settings.call) }
    public var host: Host { settings.call.host }

    /// Notes a failure; only the first one of each setting counts.
    ///
    /// - Parameter setting: its name, with `.index` after it for a member of a list.
    public func fail(_ setting: String, _ failure: Failure) {
        if failed.insert(setting).inserted { settings.call.fail(field: setting, failure) }
    }

    /// Whether something was noted for a setting.
    public func hasFailed(_ setting: String) -> Bool { failed.contains(setting) }

    /// A number that is not 0 must not be below a threshold.
    public func min(_ setting: String, _ threshold: Int) {
        let value = settings.integer(setting)
        if value != 0, value < threshold { fail(setting, .below(.number(Double(threshold)))) }
    }

    /// A number must not be above a threshold; by default the largest integer that JSON carries safely.
    public func max(_ setting: String, _ threshold: Int = 9_007_199_254_740_991) {
        if settings.integer(setting) > threshold { fail(setting, .above(.number(Double(threshold)))) }
    }

    /// A text must be a pattern.
    public func isPattern(_ setting: String) {
        let text = settings.string(setting)
        if !text.isEmpty, let message = settings.call.patternFault(text) {
            fail(setting, Failure("validation_invalid_regex", message))
        }
    }

    /// The explanation that PocketBase's field types have is up to 300 characters long.
    public func help() {
        if settings.string("help").unicodeScalars.count > 300 {
            fail(
                "help",
                Failure(
                    "validation_length_out_of_range", "The length must be between 1 and 300.",
                    params: ["max": 300, "min": 1]))
        }
    }

    /// Random text that matches a pattern.
    public func random(matching pattern: String) throws -> String { try settings.call.random(matching: pattern) }
}

extension Call {
    /// Why a text is no pattern; nil when it is one.
    func patternFault(_ text: String) -> String? {
        if let fault = host.textTable?.pointee.pattern_fault {
            var out = roost_bytes()
            return text.withRoostBytes { fault(raw, $0, &out) } >= 0 ? out.string : nil
        }
        return (try? Pattern(text, self)) == nil ? "invalid regular expression" : nil
    }
}
