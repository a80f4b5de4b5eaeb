/// A kind of field with the settings of one field.
///
///     struct Colour: FieldType {
///         static let id = "colour"
///         static let settings: [FieldSetting] = [.bool("required")]
///         let isRequired: Bool
///         init(_ settings: FieldSettings) { isRequired = settings.bool("required") }
///
///         var shape: FieldShape { .text() }
///         func normalise(_ value: BorrowedValue) -> Normalised { Cast.normalisedText(value) }
///         func validate(_ value: BorrowedValue, in context: FieldContext) throws {
///             …
///         }
///     }
///
/// Register it with ``Host/fieldType(_:)``. All functions are called from any thread, also at the same time.
public protocol FieldType: Sendable {
    /// The `type` in a collection's JSON; letters and digits.
    static var id: String { get }

    /// The settings beside those that every field has (id, name, type, system, hidden, presentable).
    static var settings: [FieldSetting] { get }

    /// Compiles complete settings, once for each field of each collection. May throw for settings that make no sense.
    init(_ settings: FieldSettings) throws

    /// What the host must know to store and show the field. Asked once, after `init`.
    var shape: FieldShape { get }

    /// Turns what a client sent, or what a row holds, into the stored form. What makes no sense becomes the zero value.
    func normalise(_ value: BorrowedValue) -> Normalised

    /// Applies a modifier; nil when the type has no such modifier, whose key is then ignored.
    func modify(
        _ modifier: FieldModifier, current: BorrowedValue, operand: BorrowedValue, in context: FieldContext
    ) throws -> Value?

    /// Checks a normalised value. Throw a ``Failure``.
    func validate(_ value: BorrowedValue, in context: FieldContext) throws

    /// Acts at one of the moments that the shape asks for. A failure before the write refuses it.
    func intercept(_ moment: Moments, in context: FieldContext) throws

    /// Checks complete settings beyond their types, when a collection is saved.
    static func validateSettings(_ check: SettingsCheck) throws
}

extension FieldType {
    public func modify(
        _ modifier: FieldModifier, current: BorrowedValue, operand: BorrowedValue, in context: FieldContext
    ) throws -> Value? { nil }
    public func validate(_ value: BorrowedValue, in context: FieldContext) throws {}
    public func intercept(_ moment: Moments, in context: FieldContext) throws {}
    public static func validateSettings(_ check: SettingsCheck) throws {}
}

/// What a client may do to a value besides replacing it.
public enum FieldModifier: UInt32, Sendable {
    /// `name+`
    case append = 1
    /// `+name`
    case prepend = 2
    /// `name-`
    case remove = 3
    /// `name:autogenerate`
    case autogenerate = 4
}

/// Moments in a record's life.
public struct Moments: OptionSet, Sendable {
    public let rawValue: UInt32
    public init(rawValue: UInt32) { self.rawValue = rawValue }

    public static let beforeValidateCreate = Moments(rawValue: 0x001)
    public static let beforeValidateUpdate = Moments(rawValue: 0x002)
    /// After validation, right before the row is written, inside the transaction.
    public static let beforeCreate = Moments(rawValue: 0x004)
    public static let beforeUpdate = Moments(rawValue: 0x008)
    public static let beforeDelete = Moments(rawValue: 0x010)
    /// After the transaction was committed.
    public static let afterCreate = Moments(rawValue: 0x020)
    public static let afterUpdate = Moments(rawValue: 0x040)
    public static let afterDelete = Moments(rawValue: 0x080)
    public static let failedCreate = Moments(rawValue: 0x100)
    public static let failedUpdate = Moments(rawValue: 0x200)
    public static let failedDelete = Moments(rawValue: 0x400)
}
