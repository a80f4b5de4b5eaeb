/// What the engine must know of a field to store, read, filter and expand it, told once when its collection is loaded;
/// the field type's plugin is asked again only for values.
package struct FieldShape: Sendable, Equatable {
    /// How a stored column appears in JSON.
    package enum Form: UInt32, Sendable {
        /// A string.
        case text = 1
        /// A number.
        case number = 2
        /// `true` or `false`.
        case bool = 3
        /// The column's JSON document as it is; what is not JSON appears as a string.
        case json = 4
        /// An array; a plain text in the column is an array of one, an empty one an empty array.
        case list = 5
        /// A string out of a column that may hold an array, of which the last member counts.
        case lastOfList = 6
        /// Never shown to anyone (a password).
        case secret = 7
        /// A date string in PocketBase's form.
        case date = 8
    }

    /// A field whose values are ids of another collection's records.
    package struct Relation: Sendable, Equatable {
        package var collectionID: String
        package var cascadeDelete: Bool
        package var isRequired: Bool
        package init(collectionID: String, cascadeDelete: Bool, isRequired: Bool) {
            self.collectionID = collectionID
            self.cascadeDelete = cascadeDelete
            self.isRequired = isRequired
        }
    }

    /// The column's declaration after its name, e.g. `TEXT DEFAULT '' NOT NULL`.
    package var column: String
    package var form: Form
    /// Whether the value is a list; decides how filters, `:each`, `:length` and type changes see it.
    package var isMultiple: Bool
    /// The value of a record that was given none.
    package var zero: Value
    package var relation: Relation?
    /// Bytes that a request body may need for this field.
    package var maxBodySize: Int
    /// At which moments of a record's life the field wants to be called.
    package var moments: RecordMoments
    /// Whether the values are names of stored files.
    package var isFile: Bool
    /// Whether only the field type itself sets values: what clients and plugins send is ignored.
    package var isReadOnly: Bool

    package init(
        column: String, form: Form, isMultiple: Bool = false, zero: Value, relation: Relation? = nil,
        maxBodySize: Int = 0, moments: RecordMoments = [], isFile: Bool = false,
        isReadOnly: Bool = false
    ) {
        self.column = column
        self.form = form
        self.isMultiple = isMultiple
        self.zero = zero
        self.relation = relation
        self.maxBodySize = maxBodySize
        self.moments = moments
        self.isFile = isFile
        self.isReadOnly = isReadOnly
    }
}

/// Moments in a record's life at which a field type may act. The values are those of the ABI (`ROOST_MOMENT_…`).
package struct RecordMoments: OptionSet, Sendable {
    package let rawValue: UInt32
    package init(rawValue: UInt32) { self.rawValue = rawValue }

    /// Before a new record is validated: generate what was left empty.
    package static let beforeValidateCreate = RecordMoments(rawValue: 1 << 0)
    package static let beforeValidateUpdate = RecordMoments(rawValue: 1 << 1)
    /// After validation, right before the row is written, inside the transaction.
    package static let beforeCreate = RecordMoments(rawValue: 1 << 2)
    package static let beforeUpdate = RecordMoments(rawValue: 1 << 3)
    package static let beforeDelete = RecordMoments(rawValue: 1 << 4)
    /// After the transaction was committed.
    package static let afterCreate = RecordMoments(rawValue: 1 << 5)
    package static let afterUpdate = RecordMoments(rawValue: 1 << 6)
    package static let afterDelete = RecordMoments(rawValue: 1 << 7)
    /// After the write failed or was rolled back.
    package static let failedCreate = RecordMoments(rawValue: 1 << 8)
    package static let failedUpdate = RecordMoments(rawValue: 1 << 9)
    package static let failedDelete = RecordMoments(rawValue: 1 << 10)
}

/// What a client may do to a value besides replacing it; the values are those of the ABI (`ROOST_MODIFY_…`).
package enum FieldModifier: UInt32, Sendable {
    /// `name+`
    case append = 1
    /// `+name`
    case prepend = 2
    /// `name-`
    case remove = 3
    /// `name:autogenerate`
    case autogenerate = 4
}
