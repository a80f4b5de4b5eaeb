import JSON

/// A record on its way in or out: values by the position of their field.
///
/// `@unchecked Sendable`: a record belongs to the one request or transaction that made it and is handed from thread to
/// thread with it (loop, writer, worker), never used by two at a time; the hand-over through a queue orders the accesses.
package final class Record: @unchecked Sendable {
    package let collection: Collection
    package var values: [Value]
    /// The values as they are stored; nil while the record is new.
    package var original: [Value]?
    /// Keys of a body that are no fields but are needed by some (`passwordConfirm`, `oldPassword`).
    package var extra: [String: Value] = [:]
    /// The files that came with the request that makes or changes this record.
    package var uploads: Uploads?
    /// Records reached through relations, by relation path segment, filled by expand.
    package var expand: [(key: String, isMultiple: Bool, records: [Record])] = []
    /// Whether an expand reached this record, even if it found nothing.
    package var isExpanded = false
    /// Fields shown (true) or hidden (false) in this record's JSON against their collection's settings.
    package var visibility: [String: Bool] = [:]
    /// Whether an e-mail address is shown though `emailVisibility` is false.
    package var ignoresEmailVisibility = false

    /// A new record with the zero value of every field.
    package init(new collection: Collection) {
        self.collection = collection
        values = collection.fields.map(\.shape.zero)
        original = nil
    }

    /// A stored record.
    package init(collection: Collection, stored values: [Value]) {
        self.collection = collection
        self.values = values
        original = values
    }

    /// The same values in a record of its own, without what expanding and showing left in the other.
    package init(copying other: Record) {
        collection = other.collection
        values = other.values
        original = other.original
        extra = other.extra
        uploads = other.uploads
    }

    /// The record as it is now, for someone who shows or changes it while others still look at this one (the signed-in
    /// record of a request is shared by all requests of its token and must not be touched).
    package func copy() -> Record {
        let copy = Record(collection: collection, stored: values)
        copy.original = original
        copy.extra = extra
        copy.visibility = visibility
        copy.ignoresEmailVisibility = ignoresEmailVisibility
        return copy
    }

    package var isNew: Bool { original == nil }

    package var id: String {
        get { self["id"].textValue ?? "" }
        set { self["id"] = .text(newValue) }
    }

    /// The value of a field by name; `.null` for an unknown name. Setting an unknown name does nothing.
    package subscript(name: String) -> Value {
        get { collection.index(of: name).map { values[$0] } ?? .null }
        set { if let index = collection.index(of: name) { values[index] = newValue } }
    }

    package func originalValue(_ name: String) -> Value {
        guard let original, let index = collection.index(of: name) else { return .null }
        return original[index]
    }
}
