package import JSON

/// The options of auth collections: their shape, what a new collection has, and what of them is secret.
///
/// They are kept as JSON from end to end, since the engine itself needs few of them; Auth's plugins read the rest.
package enum AuthOptions {
    /// Token kinds, each with a secret and a duration in seconds.
    package static let tokens = [
        "authToken", "passwordResetToken", "emailChangeToken", "verificationToken", "fileToken",
    ]
    /// The templates that stand at the top level.
    static let templates = ["verificationTemplate", "resetPasswordTemplate", "confirmEmailChangeTemplate"]

    /// All options, in the order in which they are stored and shown.
    package static let shape: OptionShape = {
        typealias Member = OptionShape.Member
        let template = OptionShape.group([Member("subject", .string), Member("body", .string)])
        let token = OptionShape.group([Member("secret", .string, omitsEmpty: true), Member("duration", .integer)])
        let provider = [
            Member("pkce", .optionalBool), Member("name", .string), Member("clientId", .string),
            Member("clientSecret", .string, omitsEmpty: true), Member("authURL", .string), Member("tokenURL", .string),
            Member("userInfoURL", .string), Member("displayName", .string), Member("extra", .dictionary),
        ]
        let mapped = OptionShape.group([
            Member("id", .string), Member("name", .string), Member("username", .string), Member("avatarURL", .string),
        ])
        return .group(
            [
                Member("authRule", .optionalString),
                Member("manageRule", .optionalString),
                Member("authAlert", .group([Member("enabled", .bool), Member("emailTemplate", template)])),
                Member(
                    "oauth2",
                    .group([
                        Member("providers", .list(provider)), Member("mappedFields", mapped), Member("enabled", .bool),
                    ])
                ),
                Member("passwordAuth", .group([Member("enabled", .bool), Member("identityFields", .strings)])),
                Member(
                    "mfa", .group([Member("enabled", .bool), Member("duration", .integer), Member("rule", .string)])
                ),
                Member(
                    "otp",
                    .group([
                        Member("enabled", .bool), Member("duration", .integer), Member("length", .integer),
                        Member("emailTemplate", template),
                    ])
                ),
            ] + tokens.map { Member($0, token) } + templates.map { Member($0, template) }
                // Options of sign-in methods that PocketBase does not know, by method. It reads past them.
                + [Member("authMethods", .dictionary, omitsEmpty: true)]
        )
    }()

    /// The options of a new auth collection, with fresh token secrets of 50 characters.
    package static func initial() -> JSON {
        func token(_ seconds: Int) -> JSON {
            ["secret": .string(RandomText.make(50)), "duration": .number(Double(seconds))]
        }
        let given: JSON = [
            "authRule": "",
            "authAlert": ["enabled": true, "emailTemplate": AuthTemplates.alert],
            "passwordAuth": ["enabled": true, "identityFields": ["email"]],
            "mfa": ["enabled": false, "duration": 600],
            "otp": ["enabled": false, "duration": 180, "length": 8, "emailTemplate": AuthTemplates.oneTimePassword],
            "authToken": token(432_000),
            "passwordResetToken": token(1800),
            "emailChangeToken": token(1800),
            "verificationToken": token(86_400),
            "fileToken": token(180),
            "verificationTemplate": AuthTemplates.verification,
            "resetPasswordTemplate": AuthTemplates.passwordReset,
            "confirmEmailChangeTemplate": AuthTemplates.emailChange,
        ]
        return (try? shape.merging(given, over: shape.zero)) ?? shape.zero
    }

    /// What is stored, made complete: a member that is missing or of a wrong type is as if never set.
    static func complete(_ stored: JSONObject) -> JSON {
        var result = shape.zero
        for (key, value) in stored {
            let one = JSON.object(JSONObject([(key, value)]))
            if let merged = try? shape.merging(one, over: result) { result = merged }
        }
        return result
    }

    /// Lays a request's options over existing ones. What a provider comes without, it keeps from the provider of that name
    /// that was there: its client secret above all, which is never shown and so cannot be sent back.
    static func merge(_ body: JSONObject, over current: JSON) throws(OptionShape.WrongType) -> JSON {
        var merged = try shape.merging(.object(body), over: current)
        if let sent = body["authMethods"] {
            let known = current["authMethods"] ?? .null
            merged = merged.setting(["authMethods"], try mergeMethods(sent, over: known))
        }
        guard let sent = body["oauth2"]?.at("providers")?.arrayValue,
            var providers = merged.at("oauth2", "providers")?.arrayValue
        else { return merged }
        let known = current.at("oauth2", "providers")?.arrayValue ?? []
        for index in providers.indices {
            let name = providers[index].at("name")
            guard let old = known.first(where: { $0.at("name") == name })?.objectValue else { continue }
            for (key, value) in old {
                if let given = sent[index].at(key) {
                    guard key == "extra", let more = given.objectValue, var extra = value.objectValue else { continue }
                    for (key, value) in more { extra[key] = value }
                    providers[index] = providers[index].setting([key], .object(extra))
                } else {
                    providers[index] = providers[index].setting([key], value)
                }
            }
        }
        merged = merged.setting(["oauth2", "providers"], .array(providers))
        return merged
    }

    /// Lays options of sign-in methods over existing ones: what is not mentioned stays, with its secrets; a method with
    /// null is forgotten.
    private static func mergeMethods(_ sent: JSON, over current: JSON) throws(OptionShape.WrongType) -> JSON {
        if sent.isNull { return .object(JSONObject()) }
        guard let methods = sent.objectValue else { throw OptionShape.WrongType() }
        var result = current.objectValue ?? JSONObject()
        for (name, given) in methods {
            if given.isNull {
                result[name] = nil
                continue
            }
            guard let given = given.objectValue else { throw OptionShape.WrongType() }
            var options = result[name]?.objectValue ?? JSONObject()
            for (key, value) in given { options[key] = value.isNull ? nil : value }
            result[name] = .object(options)
        }
        return JSON.object(result).sortedKeys()
    }

    /// The options without their secrets, as the API shows them.
    static func withoutSecrets(_ options: JSON) -> JSON {
        var result = options
        for token in tokens { result = result.setting([token, "secret"], "") }
        var methods = JSONObject()
        for (name, method) in result["authMethods"]?.objectValue ?? JSONObject() {
            var shown = JSONObject()
            for (key, value) in method.objectValue ?? JSONObject() where !SecretName.matches(key) { shown[key] = value }
            methods[name] = .object(shown)
        }
        result = result.setting(["authMethods"], .object(methods))
        let providers = result.at("oauth2", "providers")?.arrayValue ?? []
        return result.setting(
            ["oauth2", "providers"], .array(providers.map { $0.setting(["clientSecret"], "") })
        )
    }
}
