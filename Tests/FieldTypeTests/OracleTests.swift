import Glibc
import JSON
import PluginABI
import Testing

/// What PocketBase made of some 2,700 inputs (record-fixtures.py), held against the field types.
@Suite(.serialized)
struct OracleTests {
    struct Mismatch: Error {}

    static let cases: [JSON] = {
        let folder = #filePath.split(separator: "/").dropLast().reduce(into: "") { $0 += "/" + $1 }
        guard let file = fopen(folder + "/Fixtures/oracle.json", "r") else { return [] }
        defer { fclose(file) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65536)
        while case let count = fread(&buffer, 1, buffer.count, file), count > 0 { bytes += buffer.prefix(count) }
        return (try? JSONParser.parse(bytes))?.arrayValue ?? []
    }()

    static let names: [String] = {
        var names: [String] = []
        for item in cases {
            if let name = item["case"]?.stringValue, !names.contains(name) { names.append(name) }
        }
        return names
    }()

    @Test("values become what PocketBase makes of them", arguments: names)
    func values(_ name: String) throws {
        FakeHost.original = nil
        FakeHost.existing = []
        FakeHost.randomText = []
        var created: Set<String> = []
        var lastSettings: JSON?
        var open: OpenField?
        for item in Self.cases where item["case"]?.stringValue == name {
            let settings = item["settings"] ?? [:]
            if lastSettings != settings {
                lastSettings = settings
                created = []
                open = try FieldPlugin.type(item["type"]?.stringValue ?? "").open(
                    settings, name: name == "id" ? "id" : "it")
            }
            guard let open, let input = item["input"] else { continue }
            FakeHost.existing = name == "id" ? created : ["kept1", "kept2", "kept3"]
            FakeHost.record = [open.name: open.normalise(input)]
            _ = open.intercept(ROOST_MOMENT_BEFORE_VALIDATE_CREATE)
            guard let value = FakeHost.record[open.name] else { throw Mismatch() }
            let noted = open.validate(value)
            let about = "\(name) \(settings.serialized()) \(input.serialized())".prefix(200)
            if let expected = item["failure"] {
                #expect(noted?.code == expected["code"]?.stringValue, "\(about)")
                #expect(
                    noted.map { Self.sentence($0.message) } == expected["message"]?.stringValue, "\(about)")
                #expect(
                    (noted?.params ?? .null).sortedKeys() == (expected["params"] ?? .null).sortedKeys(), "\(about)")
            } else if let expected = item["value"] {
                #expect(noted == nil, "\(about)")
                #expect(open.shown(value).sortedKeys() == expected.sortedKeys(), "\(about)")
                if name == "id", let id = expected.stringValue { created.insert(id) }
            } else {
                #expect(noted == nil, "\(about)")
            }
            FakeHost.endCall()
        }
    }

    /// As PocketBase shows a message: trimmed, a capital first, a full stop last.
    private static func sentence(_ text: String) -> String {
        var scalars = Array(text.unicodeScalars)
        while let last = scalars.last, last.properties.isWhitespace { scalars.removeLast() }
        var text = String(String.UnicodeScalarView(scalars))
        if let first = text.first { text = first.uppercased() + text.dropFirst() }
        if let last = text.last, !".?!".contains(last) { text += "." }
        return text
    }
}
