package import Engine
package import JSON

/// Whose view of a record is exported.
package enum RecordAudience: UInt32, Sendable {
    /// As everybody may see it.
    case everyone = 0
    /// As its owner sees it: its own e-mail address too.
    case owner = 1
    /// As a superuser sees it.
    case superuser = 2
}

/// Records, queries and transactions as trusted code sees them: no rule is applied. The engine's record pipeline
/// implements it for "roost.records/1".
///
/// Functions throw `ServiceError`: its status decides what the plugin is told (404: ROOST_ENOTFOUND; 5xx:
/// ROOST_EINTERNAL; else ROOST_EFAILED), and it is the answer to the client when the plugin passes the failure on.
/// A nil transaction reads what is committed, and writes in a transaction of its own. Any thread but loops; with a
/// transaction on its thread only.
package protocol RecordHost: Sendable {
    /// A collection by id or name; nil when there is none.
    func collection(_ nameOrID: String, in transaction: RecordTransaction?) -> Collection?
    /// nil when there is no such record; throws when there is no such collection.
    func find(_ collection: String, id: String, in transaction: RecordTransaction?) throws -> Record?
    /// The first record whose field equals the value.
    func find(
        _ collection: String, field: String, equals value: Value, ignoringCase: Bool, in transaction: RecordTransaction?
    ) throws -> Record?
    /// Records that match a filter with `{:name}` placeholders.
    func list(
        _ collection: String, filter: String, sort: String, parameters: JSONObject, offset: Int, limit: Int,
        in transaction: RecordTransaction?
    ) throws -> [Record]
    /// How many of the ids exist.
    func count(_ collection: String, ids: [String], in transaction: RecordTransaction?) throws -> Int
    /// A new record in memory.
    func create(_ collection: String) throws -> Record
    /// Validates (unless `unchecked`) and writes; without a transaction it waits for the commit.
    func save(_ record: Record, unchecked: Bool, in transaction: RecordTransaction?) throws
    /// Deletes with all that cascades.
    func remove(_ record: Record, in transaction: RecordTransaction?) throws
    /// Runs the body in a transaction, a savepoint inside of one; what it throws rolls back and is thrown again.
    /// Returns after the commit.
    func transaction(
        in outer: RecordTransaction?, _ body: @escaping @Sendable (RecordTransaction) throws -> Void
    ) throws
    /// The record's JSON text; `expand` and `fields` are query parameters' texts.
    /// - Parameter request: what the rules of expanded collections look at, beside the audience; nil for none.
    func export(
        _ record: Record, audience: RecordAudience, expand: String, fields: String,
        request: (any PluginRequestSource)?
    ) throws -> String
    /// Creates a record as the client of a request may: rules, form checks and hooks of such requests hold.
    func create(
        _ collection: String, body: JSONObject, uploads: [RecordUpload], context: String,
        request: any PluginRequestSource, in transaction: RecordTransaction?
    ) throws -> Record
    /// Whether a rule matches a stored record as an identity sees it.
    func matches(_ record: Record, rule: String, auth: Record?, context: String) throws -> Bool
    /// The same during a request, which the rule may look at.
    func matches(
        _ record: Record, rule: String, auth: Record?, context: String, request: (any PluginRequestSource)?
    ) throws -> Bool
}

/// A file that a plugin gives for a record.
package struct RecordUpload: Sendable {
    /// The key of the body that it comes under.
    package var field: String
    package var name: String
    package var data: [UInt8]
}

extension RecordHost {
    package func create(
        _ collection: String, body: JSONObject, uploads: [RecordUpload], context: String,
        request: any PluginRequestSource, in transaction: RecordTransaction?
    ) throws -> Record {
        throw ServiceError.badRequest("No record can be made here.")
    }

    package func matches(
        _ record: Record, rule: String, auth: Record?, context: String, request: (any PluginRequestSource)?
    ) throws -> Bool {
        try matches(record, rule: rule, auth: auth, context: context)
    }
}
