internal import JSON

extension Manifest {
    /// Reads a manifest strictly: a wrong type, an unknown key or a malformed id is an error that names the key.
    ///
    /// A manifest for a later minor version of the ABI may have keys that this host does not know.
    ///
    /// - Throws: ``PluginProblem`` of kind `manifest`.
    package init(parsing bytes: [UInt8]) throws(PluginProblem) {
        let json: JSON
        do {
            json = try JSONParser.parse(bytes)
        } catch {
            throw PluginProblem(.manifest, "plugin.json is not valid JSON: \(error); correct it.")
        }
        guard case .object(let object) = json else {
            throw PluginProblem(.manifest, "plugin.json must hold one JSON object.")
        }
        var reader = ManifestReader(object: object)

        id = try reader.required("id")
        guard Self.isID(id) else {
            throw PluginProblem(
                .manifest,
                "plugin.json: \"id\" must be a reverse domain in lower case such as \"org.example.colour\", not \"\(id)\"."
            )
        }
        name = try reader.required("name")
        version = try reader.required("version")
        guard Self.isSemanticVersion(version) else {
            throw PluginProblem(
                .manifest, "plugin.json: \"version\" must be a semantic version such as \"1.2.0\", not \"\(version)\".")
        }
        let abi = try reader.object("abi", keys: ["major", "minor"])
        guard let abi else {
            throw PluginProblem(.manifest, "plugin.json lacks \"abi\"; add {\"major\": 1, \"minor\": 0}.")
        }
        abiMajor = try ManifestReader.whole(abi["major"], "abi.major")
        abiMinor = try ManifestReader.whole(abi["minor"] ?? 0, "abi.minor")
        library = try reader.required("library")
        guard Self.isFileName(library) else {
            throw PluginProblem(
                .manifest, "plugin.json: \"library\" must be the plain name of a file beside it, not \"\(library)\".")
        }
        sha256 = try reader.string("sha256")?.lowercased()
        if let sha256, sha256.utf8.count != 64 || !sha256.utf8.allSatisfy(Self.isHexDigit) {
            throw PluginProblem(.manifest, "plugin.json: \"sha256\" must be 64 hexadecimal digits.")
        }
        programs = try ManifestReader.strings(reader.take("programs"), "programs")
        for program in programs where !Self.isFileName(program) {
            throw PluginProblem(
                .manifest,
                "plugin.json: \"programs\" must be plain names of files beside the library, not \"\(program)\".")
        }
        vendor = try reader.string("vendor") ?? ""
        license = try reader.string("license") ?? ""
        url = try reader.string("url") ?? ""
        summary = try reader.string("description") ?? ""
        if let requires = try reader.object("requires", keys: ["tables", "plugins"]) {
            requiredTables = try ManifestReader.strings(requires["tables"], "requires.tables")
            requiredPlugins = try ManifestReader.strings(requires["plugins"], "requires.plugins")
        }
        if let optional = try reader.object("optional", keys: ["tables"]) {
            optionalTables = try ManifestReader.strings(optional["tables"], "optional.tables")
        }
        if let offers = try reader.object("offers", keys: ["tables"]) {
            offeredTables = try ManifestReader.strings(offers["tables"], "offers.tables")
        }
        capabilities = try reader.capabilities()
        fieldTypes = try ManifestReader.strings(reader.take("fieldTypes"), "fieldTypes")
        for type in fieldTypes where !Self.isFieldTypeID(type) {
            throw PluginProblem(
                .manifest, "plugin.json: the field type \"\(type)\" may have letters and digits only.")
        }
        routes = try reader.routes()
        commands = try reader.commands()
        settings = reader.take("settings") ?? .null
        dashboard = reader.take("dashboard") ?? .null

        if let unknown = reader.remaining.keys.first(where: { $0 != "$schema" }), abiMinor <= HostABI.minor {
            throw PluginProblem(.manifest, "plugin.json has the unknown key \"\(unknown)\"; remove or correct it.")
        }
    }

    /// Whether a text is a reverse domain in lower case with at least one dot.
    package static func isID(_ text: String) -> Bool {
        guard text.utf8.count <= 128 else { return false }
        let labels = text.split(separator: ".", omittingEmptySubsequences: false)
        return labels.count >= 2
            && labels.allSatisfy { label in
                guard let first = label.utf8.first, first != UInt8(ascii: "-") else { return false }
                return label.utf8.allSatisfy { isLowerLetter($0) || isDigit($0) || $0 == UInt8(ascii: "-") }
            }
    }

    /// Whether a text may be the `type` of a field.
    package static func isFieldTypeID(_ text: String) -> Bool {
        !text.isEmpty && text.utf8.count <= 64
            && text.utf8.allSatisfy { isLowerLetter($0 | 0x20) && $0 >= 0x41 || isDigit($0) }
    }

    /// Whether a text names a file without leading anywhere else.
    static func isFileName(_ text: String) -> Bool {
        !text.isEmpty && text != "." && text != ".." && text.utf8.count <= 255
            && text.utf8.allSatisfy { $0 > 0x20 && $0 != UInt8(ascii: "/") && $0 != 0x7F }
    }

    /// MAJOR.MINOR.PATCH with an optional pre-release and build part (semver.org, points 2, 9 and 10).
    static func isSemanticVersion(_ text: String) -> Bool {
        guard text.utf8.count <= 128 else { return false }
        let build = text.split(separator: "+", maxSplits: 1, omittingEmptySubsequences: false)
        let core = build[0].split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
        let numbers = core[0].split(separator: ".", omittingEmptySubsequences: false)
        guard numbers.count == 3,
            numbers.allSatisfy({ !$0.isEmpty && $0.utf8.allSatisfy(isDigit) && ($0.utf8.count == 1 || $0.first != "0") }
            )
        else { return false }
        return (core.dropFirst() + build.dropFirst()).allSatisfy { part in
            part.split(separator: ".", omittingEmptySubsequences: false).allSatisfy { identifier in
                !identifier.isEmpty
                    && identifier.utf8.allSatisfy {
                        isLowerLetter($0 | 0x20) && $0 >= 0x41 || isDigit($0) || $0 == UInt8(ascii: "-")
                    }
            }
        }
    }

    private static func isLowerLetter(_ byte: UInt8) -> Bool { byte >= 0x61 && byte <= 0x7A }
    private static func isDigit(_ byte: UInt8) -> Bool { byte >= 0x30 && byte <= 0x39 }
    private static func isHexDigit(_ byte: UInt8) -> Bool { isDigit(byte) || (byte >= 0x61 && byte <= 0x66) }
}

/// Takes a manifest's members one by one, so that what is left at the end is unknown.
private struct ManifestReader {
    var remaining: JSONObject

    init(object: JSONObject) { remaining = object }

    mutating func take(_ key: String) -> JSON? { remaining.remove(key) }

    mutating func string(_ key: String) throws(PluginProblem) -> String? {
        guard let value = take(key) else { return nil }
        guard case .string(let text) = value else {
            throw PluginProblem(.manifest, "plugin.json: \"\(key)\" must be a string.")
        }
        return text
    }

    mutating func required(_ key: String) throws(PluginProblem) -> String {
        guard let text = try string(key), !text.isEmpty else {
            throw PluginProblem(.manifest, "plugin.json lacks \"\(key)\"; add it.")
        }
        return text
    }

    mutating func object(_ key: String, keys: [String]) throws(PluginProblem) -> JSONObject? {
        guard let value = take(key) else { return nil }
        guard case .object(let object) = value else {
            throw PluginProblem(.manifest, "plugin.json: \"\(key)\" must be an object.")
        }
        for unknown in object.keys where !keys.contains(unknown) {
            throw PluginProblem(.manifest, "plugin.json: \"\(key)\" has the unknown key \"\(unknown)\".")
        }
        return object
    }

    mutating func capabilities() throws(PluginProblem) -> [Capability] {
        var result: [Capability] = []
        for name in try Self.strings(take("capabilities"), "capabilities") {
            guard let capability = Capability(rawValue: name) else {
                let known = Capability.allCases.map(\.rawValue).joined(separator: ", ")
                throw PluginProblem(.manifest, "plugin.json: there is no capability \"\(name)\"; known are \(known).")
            }
            result.append(capability)
        }
        return result
    }

    /// Routes are written `"GET /path"` or `{"method": "GET", "path": "/path"}`.
    mutating func routes() throws(PluginProblem) -> [Manifest.Route] {
        guard let value = take("routes") else { return [] }
        guard case .array(let items) = value else {
            throw PluginProblem(.manifest, "plugin.json: \"routes\" must be an array.")
        }
        var result: [Manifest.Route] = []
        for item in items {
            if let text = item.stringValue {
                let parts = text.split(separator: " ", maxSplits: 1)
                if parts.count == 2 {
                    result.append(.init(method: String(parts[0]), path: String(parts[1])))
                    continue
                }
            } else if let method = item["method"]?.stringValue, let path = item["path"]?.stringValue {
                result.append(.init(method: method, path: path))
                continue
            }
            throw PluginProblem(
                .manifest, "plugin.json: a route is written {\"method\": \"GET\", \"path\": \"/api/…\"}.")
        }
        return result
    }

    /// Commands are written `"name"` or `{"name": "name", …}`.
    mutating func commands() throws(PluginProblem) -> [String] {
        guard let value = take("commands") else { return [] }
        guard case .array(let items) = value else {
            throw PluginProblem(.manifest, "plugin.json: \"commands\" must be an array.")
        }
        var result: [String] = []
        for item in items {
            guard let name = item.stringValue ?? item["name"]?.stringValue, !name.isEmpty else {
                throw PluginProblem(.manifest, "plugin.json: a command is written as its name.")
            }
            result.append(name)
        }
        return result
    }

    static func whole(_ value: JSON?, _ key: String) throws(PluginProblem) -> UInt32 {
        guard let number = value?.intValue, let whole = UInt32(exactly: number) else {
            throw PluginProblem(.manifest, "plugin.json: \"\(key)\" must be a whole number.")
        }
        return whole
    }

    static func strings(_ value: JSON?, _ key: String) throws(PluginProblem) -> [String] {
        guard let value else { return [] }
        guard case .array(let items) = value else {
            throw PluginProblem(.manifest, "plugin.json: \"\(key)\" must be an array of strings.")
        }
        var result: [String] = []
        for item in items {
            guard let text = item.stringValue, !text.isEmpty else {
                throw PluginProblem(.manifest, "plugin.json: \"\(key)\" must be an array of strings.")
            }
            if result.contains(text) {
                throw PluginProblem(.manifest, "plugin.json: \"\(key)\" names \"\(text)\" twice.")
            }
            result.append(text)
        }
        return result
    }
}
