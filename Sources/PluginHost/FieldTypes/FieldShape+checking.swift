internal import Engine
internal import PluginABI

extension FieldShape {
    /// Reads the shape that a plugin gave.
    ///
    /// - Throws: ``PluginProblem`` saying what is wrong with it.
    init(checking shape: roost_field_shape) throws(PluginProblem) {
        guard let form = Form(rawValue: shape.form) else {
            throw PluginProblem(.failed, "\(shape.form) is no form.")
        }
        guard let column = shape.column.text, Self.isColumnDeclaration(column) else {
            throw PluginProblem(.failed, "its column is no column's declaration.")
        }
        guard let zero = Value(shape.zero) else {
            throw PluginProblem(.failed, "its zero value is no value.")
        }
        guard form.admits(zero) else {
            throw PluginProblem(.failed, "its zero value does not fit its form.")
        }
        guard let collection = shape.relation.text else {
            throw PluginProblem(.failed, "its relation is not UTF-8.")
        }
        let knownMoments: UInt32 = 0x7FF
        let knownFlags =
            ROOST_SHAPE_MULTIPLE | ROOST_SHAPE_FILE | ROOST_SHAPE_RELATION_CASCADE
            | ROOST_SHAPE_RELATION_REQUIRED | ROOST_SHAPE_READ_ONLY
        guard shape.moments & ~knownMoments == 0, shape.flags & ~knownFlags == 0 else {
            throw PluginProblem(.failed, "it sets flags or moments that do not exist.")
        }
        guard shape.max_body_size >= 0 else {
            throw PluginProblem(.failed, "its largest body is negative.")
        }
        self.init(
            column: column, form: form, isMultiple: shape.flags & ROOST_SHAPE_MULTIPLE != 0, zero: zero,
            relation: collection.isEmpty
                ? nil
                : Relation(
                    collectionID: collection, cascadeDelete: shape.flags & ROOST_SHAPE_RELATION_CASCADE != 0,
                    isRequired: shape.flags & ROOST_SHAPE_RELATION_REQUIRED != 0),
            maxBodySize: Int(min(shape.max_body_size, 1 << 50)), moments: RecordMoments(rawValue: shape.moments),
            isFile: shape.flags & ROOST_SHAPE_FILE != 0, isReadOnly: shape.flags & ROOST_SHAPE_READ_ONLY != 0)
    }

    /// Whether a text may stand after a column's name in CREATE TABLE: it is put there as it is, so that it must not
    /// end the statement or the column.
    static func isColumnDeclaration(_ text: String) -> Bool {
        guard !text.isEmpty, text.utf8.count <= 500 else { return false }
        var depth = 0
        var quote: UInt8?
        var previous: UInt8 = 0
        for byte in text.utf8 {
            if byte < 0x20 || byte == 0x7F { return false }
            if let open = quote {
                if byte == open { quote = nil }
            } else {
                switch byte {
                case UInt8(ascii: "'"), UInt8(ascii: "\""), UInt8(ascii: "`"): quote = byte
                case UInt8(ascii: "("): depth += 1
                case UInt8(ascii: ")"):
                    depth -= 1
                    if depth < 0 { return false }
                case UInt8(ascii: ","): if depth == 0 { return false }
                case UInt8(ascii: ";"), UInt8(ascii: "["): return false
                case UInt8(ascii: "-") where previous == byte: return false
                case UInt8(ascii: "*") where previous == UInt8(ascii: "/"): return false
                default: break
                }
            }
            previous = byte
        }
        return depth == 0 && quote == nil
    }
}

extension FieldShape.Form {
    /// Whether a column of this form may hold a value.
    func admits(_ value: Value) -> Bool {
        switch (self, value) {
        case (.text, .text), (.date, .text), (.secret, .text): true
        case (.number, .number), (.bool, .bool): true
        case (.json, _): true
        case (.list, .json), (.list, .text), (.lastOfList, .json), (.lastOfList, .text): true
        // A column without NOT NULL.
        case (_, .null): true
        default: false
        }
    }
}
