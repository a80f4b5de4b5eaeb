/// What the host must know of a field to store, read, filter and expand it.
public struct FieldShape: Sendable {
    /// How a stored column appears in JSON.
    public enum Form: UInt32, Sendable {
        /// A string.
        case text = 1
        case number = 2
        case bool = 3
        /// The column's JSON document as it is.
        case json = 4
        /// An array of strings; a plain text is an array of one.
        case list = 5
        /// A string; of an array in the column, the last member.
        case lastOfList = 6
        /// Never shown.
        case secret = 7
        /// `2006-01-02 15:04:05.000Z` or nothing.
        case date = 8
    }

    /// The column's declaration after its name, e.g. `TEXT DEFAULT '' NOT NULL`.
    public var column: String
    public var form: Form
    /// Whether the value is a list.
    public var isMultiple = false
    /// Whether the values are names of stored files.
    public var isFile = false
    /// Whether what clients send is ignored; only the type itself, setting it raw, changes it.
    public var isReadOnly = false
    /// The collection whose record ids the values are.
    public var relation: Relation?
    /// The value of a record that was given none.
    public var zero: Value
    /// Bytes that a request may need for this field.
    public var maxBodySize = 0
    /// When the field wants ``FieldType/intercept(_:in:)`` to be called.
    public var moments: Moments = []

    /// A reference to another collection's records.
    public struct Relation: Sendable {
        public var collectionID: String
        /// Whether a record goes when what it refers to goes.
        public var cascadeDelete: Bool
        /// Whether what it refers to cannot go while it is the last one.
        public var isRequired: Bool

        public init(collectionID: String, cascadeDelete: Bool, isRequired: Bool) {
            self.collectionID = collectionID
            self.cascadeDelete = cascadeDelete
            self.isRequired = isRequired
        }
    }

    public init(column: String, form: Form, zero: Value, moments: Moments = []) {
        self.column = column
        self.form = form
        self.zero = zero
        self.moments = moments
    }

    /// Text in a text column.
    public static func text(_ form: Form = .text, moments: Moments = []) -> FieldShape {
        FieldShape(column: "TEXT DEFAULT '' NOT NULL", form: form, zero: .text(""), moments: moments)
    }

    /// One text, or a list of them in a JSON column.
    public static func texts(isMultiple: Bool) -> FieldShape {
        guard isMultiple else { return text(.lastOfList) }
        var shape = FieldShape(column: "JSON DEFAULT '[]' NOT NULL", form: .list, zero: .json("[]"))
        shape.isMultiple = true
        return shape
    }
}
