package import JSON
package import Store

/// One setting of a field type, beyond those that every field has.
package struct FieldSetting: Sendable, Equatable {
    /// The JSON type of a setting; a value of another type is refused when a collection is saved.
    package enum Kind: String, Sendable {
        case string, integer, number, bool, strings, json
        /// A number or null.
        case optionalNumber
    }
    package var name: String
    package var kind: Kind
    /// What a field that does not mention the setting has.
    package var initial: JSON

    package init(name: String, kind: Kind, initial: JSON) {
        self.name = name
        self.kind = kind
        self.initial = initial
    }
}

/// What settings are validated against.
package struct FieldSettingsContext {
    /// The collection as it is about to be saved.
    package var collection: Collection
    /// The collection as it is saved now; nil when it is new.
    package var original: Collection?
    /// The other collections, for settings that name one.
    package var schema: Schema
    /// The field's id, under which `original` may know it.
    package var fieldID: String

    package init(collection: Collection, original: Collection?, schema: Schema, fieldID: String) {
        self.collection = collection
        self.original = original
        self.schema = schema
        self.fieldID = fieldID
    }
}

/// A kind of field, brought by a plugin (or, in tests, by a Swift value). Called from any thread.
package protocol FieldType: Sendable {
    /// The `type` of the field in a collection, e.g. `text`.
    var id: String { get }
    /// The plugin that brought it.
    var pluginID: String { get }
    var settings: [FieldSetting] { get }
    /// The failures of a field's settings by setting name (`name`, `help`, `hidden` and the like may be named too).
    /// Common settings were checked by the engine already.
    func validate(_ field: Field, in context: FieldSettingsContext) -> [String: FieldFailure]
    /// Compiles complete settings once for many values. Throws when they make no sense; the caller then treats the
    /// field as one whose plugin is missing.
    func open(_ settings: JSONObject, name: String, isSystem: Bool) throws -> any FieldInstance
}

/// A field of one collection with its settings compiled.
package protocol FieldInstance: Sendable {
    var shape: FieldShape { get }
    /// How its values are compared in queries; nil when that is by the column as it is.
    var query: (any FieldQuery)? { get }
    /// The stored form of whatever a client or a row brought; never fails, what makes no sense becomes the zero value.
    func normalise(_ value: Value) -> Value
    /// The value after a modifier; nil when the type has no such modifier (the key is then ignored).
    func modify(_ modifier: FieldModifier, current: Value, operand: Value) -> Value?
    /// What is wrong with a normalised value, or nil.
    func validate(_ value: Value, in context: FieldContext) -> FieldFailure?
    /// Called at the moments that the shape asks for; may change the record through the context.
    func intercept(_ moment: RecordMoments, in context: FieldContext) throws
}

extension FieldInstance {
    package var query: (any FieldQuery)? { nil }
}

/// The surroundings of one call to a field: its record, and the database as the running transaction sees it.
/// Valid during the call only, on the calling thread.
package struct FieldContext {
    package let record: Record
    package let field: Field
    package let index: Int
    package let schema: Schema
    package let connection: Connection

    package init(record: Record, field: Field, index: Int, schema: Schema, connection: Connection) {
        self.record = record
        self.field = field
        self.index = index
        self.schema = schema
        self.connection = connection
    }
}

/// The field types that the loaded plugins brought.
package struct FieldTypeRegistry: Sendable {
    private var types: [String: any FieldType] = [:]
    package init() {}

    /// - Returns: false when a type of that id is there already.
    package mutating func register(_ type: any FieldType) -> Bool {
        if types[type.id] != nil { return false }
        types[type.id] = type
        return true
    }
    package subscript(id: String) -> (any FieldType)? { types[id] }
    package var ids: [String] { types.keys.sorted() }
}
