package import JSON
package import Store

/// Reads the columns of a collection's row (in the order of its fields, from column 0) as values or straight as JSON.
///
/// What SQLite holds is taken as it is when it already has the field's stored form, which is the rule; anything else
/// (rows written by other programs, columns of views) goes through the field type's `normalise`.
package enum RowReader {
    /// The row as a record.
    package static func record(_ statement: Statement, _ collection: Collection) -> Record {
        let forms = collection.rendering.forms
        var values: [Value] = []
        values.reserveCapacity(forms.count)
        for index in forms.indices { values.append(value(statement, index, forms[index], collection)) }
        return Record(collection: collection, stored: values)
    }

    /// The value of a column. The field itself, whose copy would cost more than the rest, is looked at only for what
    /// does not have its stored form.
    private static func value(
        _ statement: Statement, _ column: Int, _ form: FieldShape.Form, _ collection: Collection
    ) -> Value {
        switch (statement.type(column), form) {
        case (.null, _): return collection.fields[column].shape.zero
        case (.text, .text), (.text, .secret): return .text(statement.text(column))
        case (.text, .date):
            let text = statement.text(column)
            return isDate(statement.utf8(column))
                ? .text(text) : collection.fields[column].instance.normalise(.text(text))
        case (.text, .lastOfList):
            let text = statement.text(column)
            return statement.utf8(column).first == UInt8(ascii: "[")
                ? collection.fields[column].instance.normalise(.json(text)) : .text(text)
        case (.text, .json):
            let text = statement.text(column)
            return isJSON(text) ? .json(text) : .json(JSON.string(text).serialized())
        case (.text, .list):
            let text = statement.text(column)
            if statement.utf8(column).first == UInt8(ascii: "["), isJSON(text) { return .json(text) }
            return collection.fields[column].instance.normalise(.text(text))
        case (.integer, .bool): return .bool(statement.int(column) != 0)
        case (.integer, .number): return .number(Double(statement.int(column)))
        case (.real, .number): return .number(statement.double(column))
        case (.integer, .json): return .json(String(statement.int(column)))
        case (.real, .json): return .json(documentText(statement.double(column)))
        case (.integer, _): return collection.fields[column].instance.normalise(.number(Double(statement.int(column))))
        case (.real, _): return collection.fields[column].instance.normalise(.number(statement.double(column)))
        case (.text, _), (.blob, _): return collection.fields[column].instance.normalise(.text(statement.text(column)))
        }
    }

    /// Writes the row as JSON as a guest or user sees it, or with `showsHidden` as a superuser does.
    /// - Parameter revealsEmailOf: the id of a record whose e-mail address is shown whatever its `emailVisibility`.
    package static func write(
        _ statement: Statement, _ collection: Collection, showsHidden: Bool, revealsEmailOf: String?,
        into writer: inout JSONWriter
    ) {
        let rendering = collection.rendering
        writer.beginObject()
        for member in rendering.members {
            switch member {
            case .constant(_, let key, let value):
                writer.key(escaped: key)
                writer.raw(value)
            case .expand: continue
            case .field(let index, let form, let key, let isHidden, let isEmail):
                if isHidden && !showsHidden { continue }
                if isEmail && !showsHidden && !showsEmail(statement, collection, revealsEmailOf) { continue }
                writer.key(escaped: key)
                write(statement, index, form, collection, into: &writer)
            }
        }
        writer.endObject()
    }

    private static func showsEmail(_ statement: Statement, _ collection: Collection, _ revealsEmailOf: String?) -> Bool
    {
        if let visible = collection.rendering.emailVisibility, statement.int(visible) != 0 { return true }
        guard let revealsEmailOf, let id = collection.index(of: "id") else { return false }
        return statement.text(id) == revealsEmailOf
    }

    /// Writes a column as its field's form has it.
    private static func write(
        _ statement: Statement, _ column: Int, _ form: FieldShape.Form, _ collection: Collection,
        into writer: inout JSONWriter
    ) {
        switch (statement.type(column), form) {
        case (.text, .text): return writer.string(utf8: statement.utf8(column))
        case (.text, .date):
            let bytes = statement.utf8(column)
            if isDate(bytes) { return writer.string(utf8: bytes) }
        case (.text, .json):
            let bytes = statement.utf8(column)
            if JSONParser.isValid(bytes) { return writer.raw(bytes) }
        case (.text, .list):
            let bytes = statement.utf8(column)
            if bytes.first == UInt8(ascii: "["), JSONParser.isValid(bytes) { return writer.raw(bytes) }
        case (.text, .lastOfList):
            let bytes = statement.utf8(column)
            if bytes.first != UInt8(ascii: "[") { return writer.string(utf8: bytes) }
        case (.integer, .bool): return writer.bool(statement.int(column) != 0)
        case (.integer, .number), (.integer, .json): return writer.int(statement.int(column))
        case (.real, .number): return writer.double(statement.double(column))
        default: break
        }
        writer.value(value(statement, column, form, collection), form: form)
    }

    /// Whether the bytes are "" or have the look of `2006-01-02 15:04:05.000Z`.
    private static func isDate(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
        if bytes.isEmpty { return true }
        return bytes.count == 24 && bytes[4] == 45 && bytes[10] == 32 && bytes[19] == 46 && bytes[23] == 90
    }

    /// A number of a JSON column as PocketBase shows it: the shortest digits, with an exponent from a million on and
    /// below a ten thousandth.
    private static func documentText(_ value: Double) -> String {
        guard value.isFinite else { return "null" }
        if value == 0 || (value.magnitude >= 1e-4 && value.magnitude < 1e6) { return JSON.number(value).serialized() }
        let parts = value.magnitude.description.split(separator: "e")
        let mantissa = parts[0].split(separator: ".")
        let whole = mantissa[0].drop { $0 == "0" }
        let fraction = mantissa.count > 1 ? mantissa[1] : ""
        var exponent = (parts.count > 1 ? Int(parts[1]) ?? 0 : 0) + whole.count - 1
        var digits = whole + fraction
        while digits.first == "0" {
            digits.removeFirst()
            exponent -= 1
        }
        while digits.count > 1, digits.last == "0" { digits.removeLast() }
        let power = String(exponent.magnitude)
        let sign = value.sign == .minus ? "-" : ""
        let rest = digits.count > 1 ? "." + digits.dropFirst() : ""
        return "\(sign)\(digits.prefix(1))\(rest)e\(exponent < 0 ? "-" : "+")\(power.count < 2 ? "0" : "")\(power)"
    }

    private static func isJSON(_ text: String) -> Bool {
        var text = text
        return text.withUTF8 { JSONParser.isValid($0) }
    }
}
