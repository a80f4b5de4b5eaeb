import Engine
import JSON
import Store

@testable import PluginHost

/// Records enough for a plugin to find one; the engine's own are tested with it.
struct MemoryRecords: RecordHost {
    /// A collection "tests" whose only field is given, or a missing one called "field".
    static func collection(_ fields: [Field]? = nil, options: JSONObject = JSONObject()) -> Collection {
        let fields =
            fields
            ?? [
                Field(
                    id: "f1", name: "field", typeID: "none", settings: JSONObject(),
                    instance: MissingField(typeID: "none"))
            ]
        return Collection(
            id: "t1", name: "tests", type: .base, system: false, fields: fields, indexes: [], rules: CollectionRules(),
            options: options, created: "", updated: "")
    }

    func collection(_ nameOrID: String, in transaction: RecordTransaction?) -> Collection? {
        nameOrID == "tests" ? Self.collection() : nil
    }
    func find(_ collection: String, id: String, in transaction: RecordTransaction?) throws -> Record? {
        guard id == "r1" else { return nil }
        let record = Record(new: Self.collection())
        record.values[0] = .text("found")
        return record
    }
    func find(
        _ collection: String, field: String, equals value: Value, ignoringCase: Bool, in transaction: RecordTransaction?
    ) throws -> Record? { nil }
    func list(
        _ collection: String, filter: String, sort: String, parameters: JSONObject, offset: Int, limit: Int,
        in transaction: RecordTransaction?
    ) throws -> [Record] { [] }
    func count(_ collection: String, ids: [String], in transaction: RecordTransaction?) throws -> Int { 0 }
    func create(_ collection: String) throws -> Record { Record(new: Self.collection()) }
    func save(_ record: Record, unchecked: Bool, in transaction: RecordTransaction?) throws {}
    func remove(_ record: Record, in transaction: RecordTransaction?) throws {}
    func transaction(
        in outer: RecordTransaction?, _ body: @escaping @Sendable (RecordTransaction) throws -> Void
    ) throws {}
    func export(
        _ record: Record, audience: RecordAudience, expand: String, fields: String,
        request: (any PluginRequestSource)?
    ) throws -> String { "{}" }
    func matches(_ record: Record, rule: String, auth: Record?, context: String) throws -> Bool { false }
}
