package import JSON

/// Stands for a field whose type no loaded plugin provides: its column is read and shown as it is, and nothing can be
/// written, so that no data is lost while the plugin is away.
package struct MissingField: FieldInstance {
    package let typeID: String
    package let shape: FieldShape

    package init(typeID: String) {
        self.typeID = typeID
        // Never used to make a column: a table is not changed while one of its types is missing.
        shape = FieldShape(column: "TEXT DEFAULT '' NOT NULL", form: .json, zero: .null)
    }

    package func normalise(_ value: Value) -> Value { value }
    package func modify(_ modifier: FieldModifier, current: Value, operand: Value) -> Value? { nil }
    package func validate(_ value: Value, in context: FieldContext) -> FieldFailure? {
        FieldFailure("validation_missing_field_type", "The field type \"\(typeID)\" is not installed.")
    }
    package func intercept(_ moment: RecordMoments, in context: FieldContext) throws {}
}
