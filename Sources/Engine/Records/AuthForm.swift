import JSON
/// What an auth record's create and update requests must obey beyond its fields: the repeated and the old password, and
/// which of its fields only a manager may change.
package enum AuthForm {
    /// Checks the form of a request.
    /// - Parameters:
    ///   - isManager: superusers, and whom the manage rule lets through.
    ///   - verifyPassword: whether a plain password is that of a stored hash; slow, so call on a worker thread.
    /// - Returns: the failures by field, empty when there are none.
    package static func failures(
        of record: Record, body: [(key: String, value: Value)], isManager: Bool,
        verifyPassword: (_ plain: String, _ hash: String) -> Bool
    ) -> [String: FieldFailure] {
        guard record.collection.isAuth else { return [:] }
        var failures: [String: FieldFailure] = [:]
        let isNew = record.isNew
        let mismatch = FieldFailure("validation_values_mismatch", "Values don't match.")
        func given(_ key: String) -> String { body.first { $0.key == key }.map { text($0.value) } ?? "" }
        let password = given("password")
        let confirm = given("passwordConfirm")
        let old = given("oldPassword")

        if !isNew && !isManager && record["email"] != record.originalValue("email") { failures["email"] = mismatch }
        let wasVerified = isNew ? Value.bool(false) : record.originalValue("verified")
        if !isManager && record["verified"] != wasVerified { failures["verified"] = mismatch }
        if isNew || !confirm.isEmpty || !old.isEmpty, password.isEmpty { failures["password"] = .required }
        if isNew || !password.isEmpty || !old.isEmpty, confirm.isEmpty {
            failures["passwordConfirm"] = .required
        } else if confirm != password {
            failures["passwordConfirm"] = mismatch
        }
        if !isNew && !isManager && (!password.isEmpty || !confirm.isEmpty) {
            if old.isEmpty {
                failures["oldPassword"] = .required
            } else if !verifyPassword(old, record.originalValue("password").textValue ?? "") {
                failures["oldPassword"] = FieldFailure(
                    "validation_invalid_old_password", "Missing or invalid old password.")
            }
        }
        return failures
    }

    /// Whether the request needs a password hash, made or checked: then it must leave the event loop.
    package static func isSlow(_ collection: Collection, _ body: [(key: String, value: Value)]) -> Bool {
        collection.fields.contains { field in
            field.shape.form == .secret && body.contains { $0.key == field.name }
        } || (collection.isAuth && body.contains { $0.key == "oldPassword" })
    }

    private static func text(_ value: Value) -> String {
        switch value {
        case .text(let text), .json(let text): text
        case .number(let number): Value.number(number).asJSON.serialized()
        case .bool(let flag): flag ? "true" : "false"
        case .null: ""
        }
    }
}
