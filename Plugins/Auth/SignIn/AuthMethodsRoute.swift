import PluginKit

/// `GET /api/collections/{collection}/auth-methods`: in which ways one may sign in.
enum AuthMethodsRoute {
    static func add(to host: Host, _ collections: AuthCollections) throws {
        try host.route("GET", "/api/collections/{collection}/auth-methods", run: .loop) { request in
            AuthAnswer.line(.json(methods(try collections.authNamed(in: request))))
        }
    }

    private static func methods(_ collection: AuthCollection) -> JSON {
        let fields = collection.allowsPasswords ? collection.identityFields : []
        return [
            "password": [
                "identityFields": .array(fields.map { .string($0) }), "enabled": .bool(collection.allowsPasswords),
            ],
            "oauth2": ["providers": [], "enabled": .bool(collection.hasOAuth2)],
            "mfa": timed(collection.mfa),
            "otp": timed(collection.otp),
            // What clients of before 0.23 look at.
            "authProviders": [],
            "usernamePassword": .bool(fields.contains("username")),
            "emailPassword": .bool(fields.contains("email")),
        ]
    }

    private static func timed(_ option: AuthCollection.TimedOption) -> JSON {
        [
            "enabled": .bool(option.isEnabled),
            "duration": .number(option.isEnabled ? Double(option.duration) : 0),
        ]
    }
}
