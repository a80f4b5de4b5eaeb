import JSON
import Store

/// What holds for every record of an auth collection, whoever writes it: PocketBase's system hooks as plain functions.
package enum AuthRecordRules {
    static let companions = ["_externalAuths", "_mfas", "_otps", "_authOrigins"]
    /// The address of the record that PocketBase's installer page makes; it goes when a real superuser comes.
    static let installerEmail = "__pbinstaller@example.com"

    /// What is wrong with a record that belongs to another one: a linked account, a session, a one-time password, an origin.
    static func companionFailures(
        _ record: Record, schema: Schema, connection: Connection
    ) throws -> [String: FieldFailure] {
        guard record.collection.system, companions.contains(record.collection.name) else { return [:] }
        guard case .text(let collectionID) = record["collectionRef"] else { return [:] }
        guard let owner = schema.collection(id: collectionID) else {
            return [
                "collectionRef": FieldFailure("validation_invalid_collection_id", "Missing or invalid collection.")
            ]
        }
        guard owner.isAuth else {
            return [
                "collectionRef": FieldFailure(
                    "validation_invalid_collection_type", "Invalid collection type - must be auth.")
            ]
        }
        guard case .text(let id) = record["recordRef"], try connection.record(id: id, in: owner) != nil else {
            return ["recordRef": FieldFailure("validation_invalid_record", "Missing or invalid record.")]
        }
        if record.collection.name == "_externalAuths", case .text(let provider) = record["provider"],
            !ProviderNames.known.contains(provider)
        {
            return ["provider": FieldFailure("validation_in_invalid", "Must be a valid value.")]
        }
        return [:]
    }

    static func beforeWrite(_ record: Record, saver: RecordSaver, transaction: Transaction) throws {
        try checkIdentity(record, transaction)
        if record.collection.isSuperusers { record["verified"] = .bool(true) }
        if !record.isNew, record["tokenKey"] == record.originalValue("tokenKey"),
            record["password"] != record.originalValue("password") || record["email"] != record.originalValue("email")
        {
            refreshTokenKey(record)
        }
        if !record.isNew, record["verified"] == .bool(true), record.originalValue("verified") == .bool(false) {
            // Accounts elsewhere that were linked before the owner of the address was known may be somebody else's.
            let removed = try removeCompanions(
                of: record, from: ["_externalAuths"], saver: saver, transaction: transaction)
            if removed > 0, record["tokenKey"] == record.originalValue("tokenKey") { refreshTokenKey(record) }
        }
        for other in saver.schema.collections where other.isAuth && other.id != record.collection.id {
            if try transaction.connection.record(id: record.id, in: other) != nil {
                throw ValidationFailures([
                    "id": FieldFailure("validation_invalid_auth_id", "Invalid or duplicated auth record id.")
                ])
            }
        }
    }

    /// Whoever changes who may sign in must have seen who may: a change that was begun with the old password, and is written
    /// after somebody else's proof has replaced that, would undo it.
    private static func checkIdentity(_ record: Record, _ transaction: Transaction) throws {
        let changes = ["password", "tokenKey", "email", "verified"].contains { record[$0] != record.originalValue($0) }
        guard !record.isNew, changes,
            let stored = try transaction.connection.record(id: record.id, in: record.collection)
        else { return }
        guard ["password", "tokenKey"].allSatisfy({ stored[$0] == record.originalValue($0) }) else {
            throw ServiceError.badRequest("The record's sign-in data was changed meanwhile.")
        }
    }

    /// A new token key: every token of the record ends with it.
    package static func refreshTokenKey(_ record: Record) {
        record["tokenKey"] = .text(RandomText.make(50))
    }

    static func afterWrite(_ record: Record, saver: RecordSaver, transaction: Transaction) throws {
        if record.isNew, record.collection.isSuperusers, record["email"] != .text(installerEmail),
            let installer = try transaction.connection.records(
                "SELECT \(record.collection.statements.columns) FROM `_superusers` WHERE `email` = ?",
                [.text(installerEmail)], record.collection
            ).first
        {
            try saver.delete(installer, in: transaction)
        }
        guard !record.isNew else { return }
        if record["password"] != record.originalValue("password") {
            try removeCompanions(of: record, from: ["_authOrigins", "_mfas"], saver: saver, transaction: transaction)
        }
        // What was begun before a change of password, address or key is not finished after it.
        if record["tokenKey"] != record.originalValue("tokenKey") {
            try removeCompanions(of: record, from: ["_otps"], saver: saver, transaction: transaction)
        }
    }

    static func beforeDelete(_ record: Record, transaction: Transaction) throws {
        guard record.collection.isSuperusers else { return }
        if try transaction.connection.scalar("SELECT COUNT(*) FROM `_superusers`") == .integer(1) {
            throw ServiceError.badRequest("You can't delete the only existing superuser")
        }
    }

    static func afterDelete(_ record: Record, saver: RecordSaver, transaction: Transaction) throws {
        try removeCompanions(of: record, from: companions, saver: saver, transaction: transaction)
    }

    /// - Returns: how many there were.
    @discardableResult
    private static func removeCompanions(
        of record: Record, from names: [String], saver: RecordSaver, transaction: Transaction
    ) throws -> Int {
        var count = 0
        for name in names {
            guard let companion = saver.schema.collection(name: name), companion.id != record.collection.id else {
                continue
            }
            let sql =
                "SELECT \(companion.statements.columns) FROM \(companion.statements.table) "
                + "WHERE `collectionRef` = ? AND `recordRef` = ?"
            for row in try transaction.connection.records(
                sql, [.text(record.collection.id), .text(record.id)], companion)
            {
                try saver.delete(row, in: transaction)
                count += 1
            }
        }
        return count
    }
}
