/// The application's settings, as the row `settings` of `_params` holds them and `/api/settings` shows them.
///
/// A value: whoever changes them makes a copy, validates it and saves it through the `SettingsStore`. Keys that are not
/// known are dropped when settings are read, as PocketBase drops them.
///
/// For example:
///
///     var fresh = try store.current.applying(patch: ["meta": ["appName": "Blog"]])
///     guard fresh.validate().isEmpty else { … }
package struct Settings: Sendable, Equatable {
    /// Addresses and subnets from which superusers may be used; empty for everywhere.
    package var superuserIPs: [String] = []
    package var smtp = SMTP()
    package var backups = Backups()
    package var s3 = S3()
    package var meta = Meta()
    package var rateLimits = RateLimits()
    package var trustedProxy = TrustedProxy()
    package var batch = Batch()
    package var logs = Logs()

    /// What a new data folder starts with.
    package init() {}

    /// What a new data folder starts with.
    package static let defaults = Settings()
}

extension Settings {
    /// How the application presents itself.
    package struct Meta: Sendable, Equatable {
        /// `#rrggbb`, or empty for the dashboard's own.
        package var accentColor = "#1055c9"
        package var appName = "Acme"
        package var appURL = "http://localhost:8090"
        package var senderName = "Support"
        package var senderAddress = "support@example.com"
        /// Whether the dashboard hides what changes collections.
        package var hideControls = false
    }

    /// What is written to the log, and for how long it is kept.
    package struct Logs: Sendable, Equatable {
        /// The longest data of a line in bytes; 0 for PocketBase's own limit.
        package var maxDataSize = 0
        /// Days; 0 turns the log off.
        package var maxDays = 5
        package var minLevel = 0
        package var logIP = true
        package var logAuthId = false

        /// The same for the log's writer.
        package var writerOptions: LogWriter.Options {
            .init(maxDays: maxDays, minLevel: minLevel, logsIP: logIP, logsAuthID: logAuthId)
        }
    }

    /// The server that takes outgoing mail.
    package struct SMTP: Sendable, Equatable {
        package var enabled = false
        package var port = 587
        package var host = "smtp.example.com"
        package var username = ""
        package var password = ""
        /// `PLAIN`, `LOGIN`, or empty for `PLAIN`.
        package var authMethod = ""
        /// Whether the connection starts with TLS instead of asking for it with STARTTLS.
        package var tls = false
        /// The name given in EHLO; empty for `localhost`.
        package var localName = ""
    }

    /// A bucket of an S3 service.
    package struct S3: Sendable, Equatable {
        package var enabled = false
        package var bucket = ""
        package var region = ""
        package var endpoint = ""
        package var accessKey = ""
        package var secret = ""
        package var forcePathStyle = false
    }

    /// Backups made by the clock, and where backups lie.
    package struct Backups: Sendable, Equatable {
        /// A cron expression; empty for none.
        package var cron = ""
        /// How many of the backups made by the clock are kept.
        package var cronMaxKeep = 3
        package var s3 = S3()
    }

    /// The limits of `/api/batch`.
    package struct Batch: Sendable, Equatable {
        package var enabled = false
        package var maxRequests = 50
        /// Seconds.
        package var timeout = 3
        /// Bytes; 0 for PocketBase's own limit of 128 MiB.
        package var maxBodySize = 0
    }

    /// Which headers of a proxy tell the client's address.
    package struct TrustedProxy: Sendable, Equatable {
        package var headers: [String] = []
        /// Whether the first address of the header counts instead of the last.
        package var useLeftmostIP = false
    }

    /// How many requests a client may make.
    package struct RateLimits: Sendable, Equatable {
        package var rules = [
            RateLimitRule(label: "*:auth", duration: 3, maxRequests: 2),
            RateLimitRule(label: "*:create", duration: 5, maxRequests: 20),
            RateLimitRule(label: "/api/batch", duration: 1, maxRequests: 3),
            RateLimitRule(label: "/api/", duration: 10, maxRequests: 300),
        ]
        /// Addresses and subnets without limits.
        package var excludedIPs: [String] = []
        package var enabled = false
    }

    /// One limit.
    package struct RateLimitRule: Sendable, Equatable {
        /// A tag (`posts:create`, `*:auth`, `test`), a path (`/api/batch`, `POST /api/batch`), or with `/` at its end
        /// the beginning of paths (`/api/`).
        package var label = ""
        /// `@guest`, `@auth`, or empty for both.
        package var audience = ""
        /// Seconds.
        package var duration = 0
        package var maxRequests = 0

        package init(label: String = "", audience: String = "", duration: Int = 0, maxRequests: Int = 0) {
            self.label = label
            self.audience = audience
            self.duration = duration
            self.maxRequests = maxRequests
        }
    }

    /// Renames a collection in the labels of the rate limits.
    /// - Returns: whether there was one, so that the settings must be saved.
    package mutating func renameCollection(_ old: String, to new: String) -> Bool {
        var changed = false
        for index in rateLimits.rules.indices where rateLimits.rules[index].label.hasPrefix(old + ":") {
            rateLimits.rules[index].label = new + rateLimits.rules[index].label.dropFirst(old.count)
            changed = true
        }
        return changed
    }
}
