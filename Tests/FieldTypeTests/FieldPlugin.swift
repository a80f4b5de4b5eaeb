import Glibc
import JSON
import PluginABI

/// A field type out of a built library, driven through its table as the host drives it.
final class FieldPlugin {
    struct LoadError: Error { let message: String }

    let table: roost_field_type_v1
    let instance: UnsafeMutableRawPointer?

    private typealias Entry = @convention(c) () -> UnsafePointer<roost_plugin_descriptor>?
    nonisolated(unsafe) private static var loaded: [String: FieldPlugin] = [:]

    /// The plugin of a type; libraries are loaded once and stay.
    static func type(_ id: String) throws -> FieldPlugin {
        if let plugin = loaded[id] { return plugin }
        let names = [
            "text": "Text", "editor": "Editor", "number": "Number", "bool": "Bool", "email": "Email", "url": "URL",
            "date": "Date", "autodate": "AutoDate", "select": "Select", "json": "JSON", "file": "File",
            "relation": "Relation", "password": "Password", "geoPoint": "GeoPoint",
        ]
        let plugin = try FieldPlugin("\(folder)/lib\(names[id] ?? id)Field.so")
        loaded[id] = plugin
        return plugin
    }

    /// Where SwiftPM puts the libraries: beside the test bundle.
    private static let folder: String = {
        if let folder = getenv("ROOST_PLUGIN_LIBRARIES") { return String(cString: folder) }
        var buffer = [CChar](repeating: 0, count: 4096)
        let count = readlink("/proc/self/exe", &buffer, buffer.count - 1)
        let path = String(decoding: buffer.prefix(max(count, 0)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return path.split(separator: "/").dropLast().reduce(into: "") { $0 += "/" + $1 }
    }()

    private init(_ path: String) throws {
        guard let library = dlopen(path, RTLD_NOW | RTLD_LOCAL), let symbol = dlsym(library, "roost_plugin_entry")
        else {
            throw LoadError(message: String(cString: dlerror()))
        }
        guard let descriptor = unsafeBitCast(symbol, to: Entry.self)()?.pointee else {
            throw LoadError(message: "no descriptor")
        }
        var plugin: UnsafeMutableRawPointer?
        FakeHost.registered = []
        guard descriptor.create?(&plugin) == ROOST_OK,
            descriptor.`init`?(plugin, FakeHost.host, FakeHost.call) == ROOST_OK,
            let registered = FakeHost.registered.first
        else { throw LoadError(message: "init failed: \(FakeHost.failures)") }
        table = registered.type.pointee
        instance = registered.instance
    }

    /// The settings with their defaults.
    func complete(_ settings: JSON) throws -> JSON {
        var result = JSONObject()
        for setting in try JSONParser.parse(FakeHost.string(table.settings)).arrayValue ?? [] {
            result[setting["name"]?.stringValue ?? ""] = setting["default"] ?? .null
        }
        for (key, value) in settings.objectValue ?? [:] { result[key] = value }
        return .object(result)
    }

    func open(_ settings: JSON, name: String) throws -> OpenField {
        var all = try complete(settings).objectValue ?? [:]
        all["name"] = .string(name)
        var opened: UnsafeMutableRawPointer?
        var shape = roost_field_shape()
        let status = table.open?(
            instance, FakeHost.call, FakeHost.bytes(JSON.object(all).serialized()), &opened, &shape)
        guard status == ROOST_OK, let opened else { throw LoadError(message: "open: \(status ?? 0)") }
        return OpenField(plugin: self, opened: opened, shape: shape, name: name)
    }

    /// The failures of settings.
    func validateSettings(_ settings: JSON, name: String = "it", collection: JSON = [:], original: JSON? = nil) throws
        -> [FakeHost.Noted]
    {
        var all = try complete(settings).objectValue ?? [:]
        all["name"] = .string(name)
        FakeHost.failures = []
        _ = table.validate_settings?(
            instance, FakeHost.call, FakeHost.bytes(JSON.object(all).serialized()),
            FakeHost.bytes(collection.serialized()),
            try original.map { FakeHost.bytes(try complete($0).serialized()) } ?? roost_bytes())
        defer { FakeHost.failures = [] }
        return FakeHost.failures
    }
}

final class OpenField {
    let plugin: FieldPlugin
    let opened: UnsafeMutableRawPointer
    let shape: roost_field_shape
    let name: String

    init(plugin: FieldPlugin, opened: UnsafeMutableRawPointer, shape: roost_field_shape, name: String) {
        self.plugin = plugin
        self.opened = opened
        self.shape = shape
        self.name = name
    }

    deinit { plugin.table.close?(opened) }

    private func context(_ moment: UInt32 = 0) -> roost_field_context {
        var context = roost_field_context()
        context.call = FakeHost.call
        context.name = FakeHost.bytes(name)
        context.collection = FakeHost.bytes("pbc_1")
        context.record.id = 1
        context.is_new = FakeHost.original == nil ? 1 : 0
        context.moment = moment
        return context
    }

    func normalise(_ value: JSON) -> FakeHost.Held {
        let held = FakeHost.Held(value)
        var raw = held.raw
        var out = roost_value()
        var context = context()
        switch plugin.table.normalise?(opened, &context, &raw, &out) {
        case ROOST_UNCHANGED: return held
        case ROOST_OK: return FakeHost.Held(out)
        default: return FakeHost.Held(.string("FAILED"))
        }
    }

    /// The value after a modifier; nil when there is none such.
    func modify(_ modifier: UInt32, _ current: JSON, _ operand: JSON) -> FakeHost.Held? {
        let current = normalise(current)
        let operand = FakeHost.Held(operand)
        var first = current.raw
        var second = operand.raw
        var out = roost_value()
        var context = context()
        let status = plugin.table.modify?(opened, &context, modifier, &first, &second, &out)
        return status == ROOST_OK ? FakeHost.Held(out) : nil
    }

    func intercept(_ moment: UInt32) -> roost_status {
        guard shape.moments & moment != 0 else { return ROOST_OK }
        var context = context(moment)
        return plugin.table.intercept?(opened, &context) ?? ROOST_EUNSUPPORTED
    }

    func validate(_ value: FakeHost.Held) -> FakeHost.Noted? {
        FakeHost.failures = []
        var raw = value.raw
        var context = context()
        let status = plugin.table.validate?(opened, &context, &raw) ?? ROOST_OK
        defer { FakeHost.failures = [] }
        if status == ROOST_OK { return nil }
        return FakeHost.failures.last
            ?? FakeHost.Noted(field: "", code: "status \(status)", message: "", params: .null)
    }

    /// The value as it appears in a record's JSON, by the field's shape.
    func shown(_ value: FakeHost.Held) -> JSON {
        let raw = value.raw
        switch raw.kind {
        case ROOST_NULL: return .null
        case ROOST_BOOL: return .bool(raw.integer != 0)
        case ROOST_NUMBER: return .number(raw.number)
        case ROOST_TEXT: return .string(value.text)
        default: return (try? JSONParser.parse(value.text, options: .init(rejectDuplicateKeys: false))) ?? .null
        }
    }
}
