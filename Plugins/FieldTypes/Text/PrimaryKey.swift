import PluginKit

/// What only ids must hold: they name folders, on file systems of all kinds.
enum PrimaryKey {
    private static let forbidden: [UInt8] = Array("./\\|\"'`<>:?*%$\0\t\n\r ".utf8)

    /// Names that Windows reserves.
    private static let reserved: [String] = {
        ["CON", "PRN", "AUX", "NUL"] + (1...9).map { "COM\($0)" } + (1...9).map { "LPT\($0)" }
    }()

    /// - Parameter length: of the text in Unicode scalars.
    static func validate(_ utf8: UnsafeBufferPointer<UInt8>, _ length: Int) throws {
        for byte in forbidden where utf8.contains(byte) {
            throw Failure(
                "validation_forbidden_pk_character", "'{{.ch}}' is not a valid primary key character.",
                params: ["ch": .string(String(UnicodeScalar(byte)))])
        }
        guard length <= 4 else { return }
        let text = String(decoding: utf8, as: UTF8.self).uppercased()
        if let name = reserved.first(where: { $0 == text }) {
            throw Failure(
                "validation_reserved_pk", "The primary key '{{.reserved}}' is reserved and cannot be used.",
                params: ["reserved": .string(name)])
        }
    }

    static func validateSettings(_ check: SettingsCheck) {
        let settings = check.settings
        if settings.name != "id" {
            check.fail("name", Failure("validation_in_invalid", "The primary key must be named \"id\"."))
        }
        if settings.string("pattern").isEmpty { check.fail("pattern", .required) }
        if settings.bool("hidden") { check.fail("hidden", .notEmpty) }
        if !settings.bool("required") { check.fail("required", .required) }
        let keys = check.collection["fields"]?.arrayValue?.filter {
            $0["type"]?.stringValue == "text" && $0["primaryKey"]?.boolValue == true
        }
        if let keys, keys.count > 1 {
            check.fail(
                "primaryKey",
                Failure(
                    "validation_unsupported_composite_pk",
                    "Composite PKs are not supported and the collection must have only 1 PK."))
        }
    }
}
