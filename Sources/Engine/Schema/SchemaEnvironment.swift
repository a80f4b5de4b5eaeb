package import JSON

/// What changing collections needs from the rest of the engine and from plugins.
package struct SchemaEnvironment: Sendable {
    /// The installed field types.
    package var types: FieldTypeRegistry
    /// Compiles a rule for a collection.
    ///
    /// Called with the rule, the collection as it would be saved, and a schema that contains it. Returns nil when the
    /// rule is sound, else what is wrong with it, as PocketBase words it after "Invalid rule. Raw error: ".
    package var ruleError: @Sendable (_ rule: String, _ collection: Collection, _ schema: Schema) -> String?
    /// Whether an OAuth2 provider of that name exists.
    package var hasProvider: @Sendable (_ name: String) -> Bool
    /// What a sign-in method has against the options that a collection is to have for it; nil when no plugin brings that
    /// method.
    package var authMethodFailures: @Sendable (_ name: String, _ options: JSONObject) -> [String: FailureTree]?
    /// Called with what went wrong in a step that must not fail the change: views that no longer fit their sources.
    package var warn: @Sendable (_ message: String, _ error: String) -> Void
    /// How long the query of a view may take while it is tried out, in nanoseconds.
    package var queryTimeout: UInt64

    package init(
        types: FieldTypeRegistry, queryTimeout: UInt64 = 30_000_000_000,
        ruleError: @escaping @Sendable (_ rule: String, _ collection: Collection, _ schema: Schema) -> String? =
            { _, _, _ in nil },
        hasProvider: @escaping @Sendable (_ name: String) -> Bool = { ProviderNames.known.contains($0) },
        authMethodFailures: @escaping @Sendable (_ name: String, _ options: JSONObject) -> [String: FailureTree]? =
            { _, _ in nil },
        warn: @escaping @Sendable (_ message: String, _ error: String) -> Void = { _, _ in }
    ) {
        self.types = types
        self.queryTimeout = queryTimeout
        self.ruleError = ruleError
        self.hasProvider = hasProvider
        self.authMethodFailures = authMethodFailures
        self.warn = warn
    }
}

/// The OAuth2 providers that PocketBase 0.40 knows. A collection may name them whether or not a plugin that serves them
/// is installed, because folders come and go between the two programs.
package enum ProviderNames {
    package static let known: Set<String> = [
        "apple", "bitbucket", "box", "discord", "facebook", "gitea", "gitee", "github", "gitlab", "google",
        "instagram2", "kakao", "lark", "linear", "livechat", "mailcow", "microsoft", "monday", "notion", "oidc",
        "oidc2", "oidc3", "patreon", "planningcenter", "spotify", "strava", "trakt", "twitch", "twitter", "vk",
        "wakatime", "yandex",
    ]
}
