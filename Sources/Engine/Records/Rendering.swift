package import JSON

/// How a collection's records are written as JSON: the members in PocketBase's order (sorted by name) with their keys
/// escaped once.
package struct Rendering: Sendable {
    package enum Member: Sendable {
        /// A member that is the same in every record, key and value.
        case constant(name: String, key: [UInt8], value: [UInt8])
        case field(index: Int, form: FieldShape.Form, key: [UInt8], isHidden: Bool, isEmail: Bool)
        /// Where `expand` goes when a record has one.
        case expand
    }

    package let members: [Member]
    /// The forms of the fields, in their order.
    let forms: [FieldShape.Form]
    /// Position of `emailVisibility` in an auth collection.
    package let emailVisibility: Int?

    package init(collectionID: String, collectionName: String, isAuth: Bool, fields: [Field]) {
        var named: [(name: String, member: Member)] = [
            ("collectionId", Self.constant("collectionId", collectionID)),
            ("collectionName", Self.constant("collectionName", collectionName)),
            ("expand", .expand),
        ]
        var emailVisibility: Int?
        for (index, field) in fields.enumerated() {
            if field.shape.form == .secret && isAuth { continue }
            if isAuth && (field.name == "tokenKey" || field.name == "password") { continue }
            if isAuth && field.name == "emailVisibility" { emailVisibility = index }
            named.append(
                (
                    field.name,
                    .field(
                        index: index, form: field.shape.form, key: JSONWriter.escapedKey(field.name),
                        isHidden: field.hidden,
                        isEmail: isAuth && field.name == "email")
                ))
        }
        self.emailVisibility = emailVisibility
        forms = fields.map(\.shape.form)
        members = named.sorted { Array($0.name.utf8).lexicographicallyPrecedes(Array($1.name.utf8)) }.map(\.member)
    }

    private static func constant(_ name: String, _ value: String) -> Member {
        .constant(name: name, key: JSONWriter.escapedKey(name), value: JSON.string(value).serializedBytes())
    }
}

extension JSONWriter {
    /// Writes a value as its field's form has it.
    package mutating func value(_ value: Value, form: FieldShape.Form) {
        switch value {
        case .null:
            switch form {
            case .text, .lastOfList, .date: string("")
            case .number: int(0)
            case .bool: bool(false)
            case .list: raw("[]")
            case .json, .secret: writeNull()
            }
        case .bool(let value): bool(value)
        case .number(let value): double(value)
        case .text(let value):
            if form == .secret { string("") } else { string(value) }
        case .json(let value): raw(value.utf8)
        }
    }

    /// Writes a record that is in memory, with what it expands to.
    /// - Parameter showsHidden: superusers see hidden fields and every e-mail address.
    package mutating func record(_ record: Record, showsHidden: Bool = false) {
        let rendering = record.collection.rendering
        let fields = record.collection.fields
        beginObject()
        for member in rendering.members {
            switch member {
            case .constant(let name, let key, let value):
                if record.visibility[name] == false { continue }
                self.key(escaped: key)
                raw(value)
            case .expand:
                guard record.isExpanded else { continue }
                self.key(plain: "expand")
                beginObject()
                for entry in record.expand.sorted(by: { $0.key < $1.key }) {
                    self.key(entry.key)
                    if entry.isMultiple {
                        beginArray()
                        for related in entry.records { self.record(related, showsHidden: showsHidden) }
                        endArray()
                    } else if let related = entry.records.first {
                        self.record(related, showsHidden: showsHidden)
                    } else {
                        writeNull()
                    }
                }
                endObject()
            case .field(let index, let form, let key, let isHidden, let isEmail):
                let custom = record.visibility.isEmpty ? nil : record.visibility[fields[index].name]
                if !(custom ?? (showsHidden || !isHidden)) { continue }
                if isEmail && !showsHidden && !record.ignoresEmailVisibility {
                    guard let visible = rendering.emailVisibility, record.values[visible] == .bool(true) else {
                        continue
                    }
                }
                self.key(escaped: key)
                value(record.values[index], form: form)
            }
        }
        endObject()
    }
}
