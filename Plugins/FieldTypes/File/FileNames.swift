import PluginKit

/// File names out of whatever was sent: like other lists of texts, but lists in lists count when they hold one name.
enum FileNames {
    static func all(_ value: BorrowedValue) -> [String] {
        value.isJSON ? all(value.asJSON) : Cast.uniqueStrings(value)
    }

    /// The same for a field of several files, whose names must not look like lists themselves.
    static func several(_ value: BorrowedValue) -> [String] {
        all(value).filter { Cast.uniqueStrings(JSON.string($0)).count == 1 }
    }

    static func all(_ value: Value?) -> [String] { value.map { all($0.asJSON) } ?? [] }

    private static func all(_ json: JSON) -> [String] {
        guard case .array(let members) = json else { return Cast.uniqueStrings(json) }
        var seen = TextSet()
        return members.compactMap { member in
            let inner = all(member)
            return inner.count == 1 && seen.insert(inner[0]) ? inner[0] : nil
        }
    }
}

/// A file that came with the running request.
struct Upload {
    let name: String
    let originalName: String
    let size: Int
    let type: String

    static func all(_ record: Record, field: String) -> [Upload] {
        (record.json("extra:@uploads")[field]?.arrayValue ?? []).map { upload in
            Upload(
                name: upload["name"]?.stringValue ?? "", originalName: upload["originalName"]?.stringValue ?? "",
                size: upload["size"]?.intValue ?? 0, type: upload["type"]?.stringValue ?? "")
        }
    }

    func validate(maxSize: Int, mimeTypes: [String]) throws {
        guard (1...150).contains(name.utf8.count) else {
            throw Failure(
                "validation_length_out_of_range", "The length must be between 1 and 150.",
                params: ["max": 150, "min": 1])
        }
        guard name.utf8.count > 1, name.utf8.first != UInt8(ascii: "."), !name.utf8.contains(UInt8(ascii: "/")),
            !name.utf8.contains(UInt8(ascii: "\\"))
        else { throw Failure("validation_match_invalid", "Must be in a valid format.") }
        if size > maxSize {
            throw Failure(
                "validation_file_size_limit",
                "Failed to upload {{.file}} - the maximum allowed file size is {{.maxSize}} bytes.",
                params: ["file": .string(String(originalName.prefix(300))), "maxSize": .number(Double(maxSize))])
        }
        let essence = type.prefix { $0 != ";" }.lowercased()
        if !mimeTypes.isEmpty, !mimeTypes.contains(where: { $0.prefix { $0 != ";" }.lowercased() == essence }) {
            throw Failure(
                "validation_invalid_mime_type",
                "\(JSON.string(name).serialized()) mime type must be one of: \(mimeTypes.joined(separator: ", ")).")
        }
    }
}
