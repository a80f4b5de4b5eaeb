import PluginKit

/// `GET /api/collections/{collection}/auth-methods`: in which ways one may sign in.
struct AuthMethodsRoute: Sendable {
    let collections: AuthCollections
    let methods: AuthMethods

    func add(to host: Host) throws {
        try host.route("GET", "/api/collections/{collection}/auth-methods", run: .loop) { request in
            AuthAnswer.line(.json(try answer(try collections.authNamed(in: request), request.records)))
        }
    }

    private func answer(_ collection: AuthCollection, _ records: Records) throws -> JSON {
        var others = try methods.list(records).map(\.name)
        func entry(_ name: String) throws -> JSON? {
            guard let index = others.firstIndex(of: name) else { return nil }
            others.remove(at: index)
            return try describe(name, collection, records)
        }
        let fields = collection.allowsPasswords ? collection.identityFields : []
        let oauth2 = try entry("oauth2") ?? ["providers": [], "enabled": .bool(collection.hasOAuth2)]
        var answer: JSONObject = [
            "password": try entry("password") ?? .null,
            "oauth2": oauth2,
            "mfa": [
                "enabled": .bool(collection.mfa.isEnabled),
                "duration": .number(collection.mfa.isEnabled ? Double(collection.mfa.duration) : 0),
            ],
            "otp": try entry("otp") ?? .null,
            // What clients of before 0.23 look at.
            "authProviders": oauth2["enabled"]?.boolValue == true ? Self.withoutLogos(oauth2["providers"]) : [],
            "usernamePassword": .bool(fields.contains("username")),
            "emailPassword": .bool(fields.contains("email")),
        ]
        for name in others { answer[name] = try describe(name, collection, records) }
        return .object(answer)
    }

    private static func withoutLogos(_ providers: JSON?) -> JSON {
        .array(
            (providers?.arrayValue ?? []).map { provider in
                guard var object = provider.objectValue else { return provider }
                object["logo"] = ""
                return .object(object)
            })
    }

    /// What a method says of itself, and whether it is on.
    private func describe(_ name: String, _ collection: AuthCollection, _ records: Records) throws -> JSON {
        let options = try methods.options(name, in: collection.id, records)
        let isOn = JSON.bool(options["enabled"]?.boolValue ?? false)
        let shown = try methods.describe(name, options, records)
        if shown["enabled"] != nil {
            var entry = shown
            entry["enabled"] = isOn
            return .object(entry)
        }
        var entry: JSONObject = ["enabled": isOn]
        for (key, value) in shown { entry[key] = value }
        return .object(entry)
    }
}
