import JSON

/// What goes through the members of the settings by their names, in the order in which PocketBase writes them: one list
/// of names serves reading and writing.
protocol SettingsVisitor {
    mutating func member(_ key: String, _ value: inout Bool) throws(SettingsShapeError)
    mutating func member(_ key: String, _ value: inout Int) throws(SettingsShapeError)
    mutating func member(_ key: String, _ value: inout String) throws(SettingsShapeError)
    mutating func member(_ key: String, _ value: inout [String]) throws(SettingsShapeError)
    mutating func member<Part: SettingsPart>(_ key: String, _ value: inout Part) throws(SettingsShapeError)
    mutating func member<Part: SettingsPart>(_ key: String, _ value: inout [Part]) throws(SettingsShapeError)
    /// A text that is stored but never shown.
    mutating func secret(_ key: String, _ value: inout String, omitsEmpty: Bool) throws(SettingsShapeError)
}

/// A value of another type than the setting has.
struct SettingsShapeError: Error {
    /// The setting.
    var key: String
}

/// Something with members.
protocol SettingsPart {
    /// What `null` makes of it.
    static var zero: Self { get }
    mutating func visit(_ visitor: inout some SettingsVisitor) throws(SettingsShapeError)
}

extension Settings: SettingsPart {
    static var zero: Settings {
        var settings = Settings()
        settings.smtp = .zero
        settings.backups = .zero
        settings.meta = .zero
        settings.rateLimits = .zero
        settings.batch = .zero
        settings.logs = .zero
        return settings
    }

    mutating func visit(_ visitor: inout some SettingsVisitor) throws(SettingsShapeError) {
        try visitor.member("superuserIPs", &superuserIPs)
        try visitor.member("smtp", &smtp)
        try visitor.member("backups", &backups)
        try visitor.member("s3", &s3)
        try visitor.member("meta", &meta)
        try visitor.member("rateLimits", &rateLimits)
        try visitor.member("trustedProxy", &trustedProxy)
        try visitor.member("batch", &batch)
        try visitor.member("logs", &logs)
    }
}

extension Settings.Meta: SettingsPart {
    static var zero: Self {
        .init(accentColor: "", appName: "", appURL: "", senderName: "", senderAddress: "", hideControls: false)
    }

    mutating func visit(_ visitor: inout some SettingsVisitor) throws(SettingsShapeError) {
        try visitor.member("accentColor", &accentColor)
        try visitor.member("appName", &appName)
        try visitor.member("appURL", &appURL)
        try visitor.member("senderName", &senderName)
        try visitor.member("senderAddress", &senderAddress)
        try visitor.member("hideControls", &hideControls)
    }
}

extension Settings.Logs: SettingsPart {
    static var zero: Self { .init(maxDataSize: 0, maxDays: 0, minLevel: 0, logIP: false, logAuthId: false) }

    mutating func visit(_ visitor: inout some SettingsVisitor) throws(SettingsShapeError) {
        try visitor.member("maxDataSize", &maxDataSize)
        try visitor.member("maxDays", &maxDays)
        try visitor.member("minLevel", &minLevel)
        try visitor.member("logIP", &logIP)
        try visitor.member("logAuthId", &logAuthId)
    }
}

extension Settings.SMTP: SettingsPart {
    static var zero: Self { .init(port: 0, host: "") }

    mutating func visit(_ visitor: inout some SettingsVisitor) throws(SettingsShapeError) {
        try visitor.member("enabled", &enabled)
        try visitor.member("port", &port)
        try visitor.member("host", &host)
        try visitor.member("username", &username)
        try visitor.secret("password", &password, omitsEmpty: false)
        try visitor.member("authMethod", &authMethod)
        try visitor.member("tls", &tls)
        try visitor.member("localName", &localName)
    }
}

extension Settings.S3: SettingsPart {
    static var zero: Self { .init() }

    mutating func visit(_ visitor: inout some SettingsVisitor) throws(SettingsShapeError) {
        try visitor.member("enabled", &enabled)
        try visitor.member("bucket", &bucket)
        try visitor.member("region", &region)
        try visitor.member("endpoint", &endpoint)
        try visitor.member("accessKey", &accessKey)
        try visitor.secret("secret", &secret, omitsEmpty: true)
        try visitor.member("forcePathStyle", &forcePathStyle)
    }
}

extension Settings.Backups: SettingsPart {
    static var zero: Self { .init(cronMaxKeep: 0) }

    mutating func visit(_ visitor: inout some SettingsVisitor) throws(SettingsShapeError) {
        try visitor.member("cron", &cron)
        try visitor.member("cronMaxKeep", &cronMaxKeep)
        try visitor.member("s3", &s3)
    }
}

extension Settings.Batch: SettingsPart {
    static var zero: Self { .init(maxRequests: 0, timeout: 0) }

    mutating func visit(_ visitor: inout some SettingsVisitor) throws(SettingsShapeError) {
        try visitor.member("enabled", &enabled)
        try visitor.member("maxRequests", &maxRequests)
        try visitor.member("timeout", &timeout)
        try visitor.member("maxBodySize", &maxBodySize)
    }
}

extension Settings.TrustedProxy: SettingsPart {
    static var zero: Self { .init() }

    mutating func visit(_ visitor: inout some SettingsVisitor) throws(SettingsShapeError) {
        try visitor.member("headers", &headers)
        try visitor.member("useLeftmostIP", &useLeftmostIP)
    }
}

extension Settings.RateLimits: SettingsPart {
    static var zero: Self { .init(rules: []) }

    mutating func visit(_ visitor: inout some SettingsVisitor) throws(SettingsShapeError) {
        try visitor.member("rules", &rules)
        try visitor.member("excludedIPs", &excludedIPs)
        try visitor.member("enabled", &enabled)
    }
}

extension Settings.RateLimitRule: SettingsPart {
    static var zero: Self { .init() }

    mutating func visit(_ visitor: inout some SettingsVisitor) throws(SettingsShapeError) {
        try visitor.member("label", &label)
        try visitor.member("audience", &audience)
        try visitor.member("duration", &duration)
        try visitor.member("maxRequests", &maxRequests)
    }
}
