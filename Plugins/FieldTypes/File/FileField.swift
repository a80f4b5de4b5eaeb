import PluginKit

/// The names of a record's files. The files themselves are the Files plugin's: for the uploads of a running request
/// the record holds, as `extra:@uploads`, an object of lists by field name, each upload an object of `name` (as it will
/// be stored), `originalName`, `size` in bytes, and `type`, its MIME type as its content shows it.
struct FileField: FieldType {
    static let id = "file"
    static let settings: [FieldSetting] = [
        .string("help"), .integer("maxSelect"), .integer("maxSize"), .strings("mimeTypes"), .bool("protected"),
        .bool("required"), .strings("thumbs"),
    ]

    private let maxSelect: Int
    /// In bytes, of one file.
    private let maxSize: Int
    private let mimeTypes: [String]
    private let isRequired: Bool
    private var isMultiple: Bool { maxSelect > 1 }

    init(_ settings: FieldSettings) {
        maxSelect = max(settings.integer("maxSelect"), 1)
        let limit = settings.integer("maxSize")
        maxSize = limit <= 0 ? 5 << 20 : limit
        mimeTypes = settings.strings("mimeTypes")
        isRequired = settings.bool("required")
    }

    var shape: FieldShape {
        var shape = FieldShape.texts(isMultiple: isMultiple)
        shape.isFile = true
        shape.maxBodySize = maxSize.multipliedReportingOverflow(by: maxSelect).overflow ? .max : maxSize * maxSelect
        return shape
    }

    func normalise(_ value: BorrowedValue) -> Normalised {
        if value.isText, !isMultiple, !value.utf8.contains(UInt8(ascii: "[")) { return .unchanged }
        if value.isJSON, isMultiple, value.utf8.elementsEqual("[]".utf8) { return .unchanged }
        let names = isMultiple ? FileNames.several(value) : FileNames.all(value)
        return .changed(Cast.value(names, isMultiple: isMultiple))
    }

    func modify(
        _ modifier: FieldModifier, current: BorrowedValue, operand: BorrowedValue, in context: FieldContext
    ) throws -> Value? {
        Cast.modified(modifier, FileNames.all(current), FileNames.all(operand), isMultiple: isMultiple)
    }

    func validate(_ value: BorrowedValue, in context: FieldContext) throws {
        let names = Cast.uniqueStrings(value)
        if names.isEmpty {
            if isRequired { throw Failure.required }
            return
        }
        let record = try context.record()
        let uploads = Upload.all(record, field: context.name)
        let known = TextSet(try FileNames.all(context.original()) + uploads.map(\.name))
        let added = names.filter { !known.contains($0) }
        if !added.isEmpty {
            throw Failure(
                "validation_invalid_file", "Invalid new files: {{.invalidFiles}}.",
                params: ["invalidFiles": .array(added.map { .string(String($0.prefix(250))) })])
        }
        if names.count > maxSelect {
            throw Failure(
                "validation_too_many_files", "The maximum allowed files is {{.maxSelect}}",
                params: ["maxSelect": .number(Double(maxSelect))])
        }
        let kept = TextSet(names)
        for upload in uploads where kept.contains(upload.name) {
            try upload.validate(maxSize: maxSize, mimeTypes: mimeTypes)
        }
    }

    static func validateSettings(_ check: SettingsCheck) {
        check.help()
        for name in ["maxSelect", "maxSize"] {
            check.min(name, 0)
            check.max(name)
        }
        for (index, thumb) in check.settings.strings("thumbs").enumerated() where !thumb.isEmpty {
            if ["0x0", "0x0t", "0x0b", "0x0f"].contains(thumb) {
                check.fail("thumbs.\(index)", Failure("validation_not_in_invalid", "Must not be in list."))
            } else if !isThumbSize(thumb) {
                check.fail("thumbs.\(index)", Failure("validation_match_invalid", "Must be in a valid format."))
            }
        }
    }

    /// Width, "x", height, and how to fit: `t`, `b`, `f` or nothing.
    private static func isThumbSize(_ text: String) -> Bool {
        var rest = text.utf8[...]
        if let last = rest.last, "tbf".utf8.contains(last) { rest = rest.dropLast() }
        let sides = rest.split(separator: UInt8(ascii: "x"), omittingEmptySubsequences: false)
        return sides.count == 2
            && sides.allSatisfy { !$0.isEmpty && $0.allSatisfy { $0 >= 0x30 && $0 <= 0x39 } }
    }
}
