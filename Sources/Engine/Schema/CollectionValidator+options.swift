import JSON

extension CollectionValidator {
    /// What is wrong with the options of the collection's type.
    func optionsFailures() throws -> [String: FailureTree] {
        switch draft.knownType {
        case .auth: authFailures()
        case .view: try viewFailures()
        case .base, nil: [:]
        }
    }

    private func viewFailures() throws -> [String: FailureTree] {
        if draft.viewQuery.isEmpty { return ["viewQuery": .failure(.required)] }
        do throws(CollectionError) {
            _ = try ViewDryRun(
                draft.viewQuery, sampleSize: 10, schema: schema, environment: environment, connection: connection
            )
            return [:]
        } catch {
            let reason = String(decoding: error.text.utf8.prefix(500), as: UTF8.self)
            return ["viewQuery": .failure(FieldFailure("validation_invalid_view_query", "Invalid query - " + reason))]
        }
    }

    private func authFailures() -> [String: FailureTree] {
        var failures: [String: FailureTree] = [:]
        func nest(_ key: String, _ inner: [String: FailureTree]) {
            if !inner.isEmpty { failures[key] = .nested(inner) }
        }
        let options = draft.authOptions
        let old = original?.isAuth == true ? original?.options : nil
        if let failure = ruleFailure(options["authRule"]?.stringValue, was: old?["authRule"]?.stringValue) {
            failures["authRule"] = .failure(failure)
        }
        if options["manageRule"]?.stringValue == "" {
            failures["manageRule"] = .failure(
                FieldFailure("validation_nil_or_not_empty_required", "Cannot be blank.")
            )
        } else if let failure = ruleFailure(options["manageRule"]?.stringValue, was: old?["manageRule"]?.stringValue) {
            failures["manageRule"] = .failure(failure)
        }
        nest("authAlert", templateFailures(options.at("authAlert", "emailTemplate"), under: "emailTemplate"))
        if isEnabled("passwordAuth"), identityFields.isEmpty {
            nest("passwordAuth", ["identityFields": .failure(.required)])
        }
        nest("oauth2", providerFailures())
        nest("otp", oneTimePasswordFailures())
        if isEnabled("mfa"), let failure = ValueRules.range(number("mfa", "duration"), 10, 86_400) {
            nest("mfa", ["duration": .failure(failure)])
        }
        nest("authMethods", methodFailures(old))
        for token in AuthOptions.tokens { nest(token, tokenFailures(token)) }
        for template in AuthOptions.templates {
            if case .nested(let inner)? = templateFailures(options[template], under: "")[""] { nest(template, inner) }
        }
        return failures.isEmpty ? combinedFailures(old) : failures
    }

    /// Checks that concern several options; only when each for itself is sound.
    private func combinedFailures(_ old: JSONObject?) -> [String: FailureTree] {
        if isEnabled("mfa") {
            if ["passwordAuth", "oauth2", "otp"].filter(isEnabled).count + enabledMethods < 2 {
                let failure = FieldFailure(
                    "validation_mfa_not_enough_auths", "MFA requires at least 2 auth methods to be enabled."
                )
                return ["mfa": .nested(["enabled": .failure(failure)])]
            }
            if let rule = draft.authOptions.at("mfa", "rule")?.stringValue, !rule.isEmpty,
                let failure = ruleFailure(rule, was: old?["mfa"]?.at("rule")?.stringValue)
            {
                return ["mfa": .nested(["rule": .failure(failure)])]
            }
        }
        if isEnabled("passwordAuth"), let failure = identityFailure() {
            return ["passwordAuth": .nested(["identityFields": .failure(failure)])]
        }
        return [:]
    }

    /// Whoever signs in must be one record: identity fields need a unique index.
    private func identityFailure() -> FieldFailure? {
        for name in identityFields {
            let params: JSONObject = ["fieldName": .string(name)]
            if draft.fields.field(named: name) == nil {
                return FieldFailure("validation_missing_field", "Invalid or missing field \(name)", params: params)
            }
            if IndexDefinition.uniqueIndex(on: name, in: draft.indexes) == nil {
                return FieldFailure(
                    "validation_missing_unique_constraint", "The field \(name) doesn't have a UNIQUE constraint.",
                    params: params
                )
            }
        }
        return nil
    }

    /// Options of other plugins' sign-in methods. What a collection has already stays when their plugin is gone.
    private func methodFailures(_ old: JSONObject?) -> [String: FailureTree] {
        var failures: [String: FailureTree] = [:]
        for (name, options) in draft.authOptions["authMethods"]?.objectValue ?? JSONObject() {
            if let found = environment.authMethodFailures(name, options.objectValue ?? JSONObject()) {
                if !found.isEmpty { failures[name] = .nested(found) }
            } else if old?["authMethods"]?[name] != options {
                failures[name] = .failure(
                    FieldFailure("validation_unknown_auth_method", "No plugin brings this method of signing in."))
            }
        }
        return failures
    }

    private var enabledMethods: Int {
        let methods = draft.authOptions["authMethods"]?.objectValue ?? JSONObject()
        return methods.count { $0.value["enabled"]?.boolValue == true }
    }

    private func isEnabled(_ option: String) -> Bool { draft.authOptions.at(option, "enabled")?.boolValue == true }

    private func number(_ option: String, _ key: String) -> Double {
        draft.authOptions.at(option, key)?.numberValue ?? 0
    }

    private var identityFields: [String] {
        draft.authOptions.at("passwordAuth", "identityFields")?.arrayValue?.compactMap(\.stringValue) ?? []
    }

    private func templateFailures(_ template: JSON?, under key: String) -> [String: FailureTree] {
        var inner: [String: FailureTree] = [:]
        for part in ["subject", "body"] where template?.at(part)?.stringValue ?? "" == "" {
            inner[part] = .failure(.required)
        }
        return inner.isEmpty ? [:] : [key: .nested(inner)]
    }

    private func tokenFailures(_ token: String) -> [String: FailureTree] {
        var inner: [String: FailureTree] = [:]
        let secret = draft.authOptions.at(token, "secret")?.stringValue ?? ""
        if let failure = ValueRules.first({ ValueRules.required(secret) }, { ValueRules.length(secret, 30, 255) }) {
            inner["secret"] = .failure(failure)
        }
        // About three years at most.
        if let failure = ValueRules.range(number(token, "duration"), 10, 94_670_856) {
            inner["duration"] = .failure(failure)
        }
        return inner
    }

    private func oneTimePasswordFailures() -> [String: FailureTree] {
        var inner = templateFailures(draft.authOptions.at("otp", "emailTemplate"), under: "emailTemplate")
        guard isEnabled("otp") else { return inner }
        if let failure = ValueRules.range(number("otp", "duration"), 10, 86_400) {
            inner["duration"] = .failure(failure)
        }
        if let failure = ValueRules.range(number("otp", "length"), 4) { inner["length"] = .failure(failure) }
        return inner
    }

    private func providerFailures() -> [String: FailureTree] {
        guard isEnabled("oauth2") else { return [:] }
        let providers = draft.authOptions.at("oauth2", "providers")?.arrayValue ?? []
        func text(_ provider: JSON, _ key: String) -> String { provider.at(key)?.stringValue ?? "" }
        var names: Set<String> = []
        for (position, provider) in providers.enumerated() {
            let name = text(provider, "name")
            if name.isEmpty || names.insert(name).inserted { continue }
            let failure = FieldFailure(
                "validation_duplicated_provider", "The provider \(name) is already registered.",
                params: ["name": .string(name)]
            )
            return ["providers": .nested([String(position): .nested(["name": .failure(failure)])])]
        }
        var failures: [String: FailureTree] = [:]
        for (position, provider) in providers.enumerated() {
            var inner: [String: FailureTree] = [:]
            for key in ["name", "clientId", "clientSecret"] where text(provider, key).isEmpty {
                inner[key] = .failure(.required)
            }
            let name = text(provider, "name")
            if !name.isEmpty, !environment.hasProvider(name) {
                inner["name"] = .failure(
                    FieldFailure(
                        "validation_missing_provider", "Invalid or missing provider with name \(name).",
                        params: ["name": .string(name)]
                    )
                )
            }
            for key in ["authURL", "tokenURL", "userInfoURL"] {
                if let failure = ValueRules.url(text(provider, key)) { inner[key] = .failure(failure) }
            }
            if !inner.isEmpty { failures[String(position)] = .nested(inner) }
        }
        return failures.isEmpty ? [:] : ["providers": .nested(failures)]
    }
}
