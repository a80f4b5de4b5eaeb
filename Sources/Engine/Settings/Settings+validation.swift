import JSON

extension Settings {
    /// What is wrong with the settings, by their names; empty if nothing is.
    ///
    /// The API answers it under "An error occurred while saving the new settings."
    package func validate() -> [String: FailureTree] {
        var checks = Checks()
        checks.each("superuserIPs", superuserIPs, Self.checkIP)
        checks.nested("meta", meta.checks)
        checks.nested("logs", logs.checks)
        checks.nested("smtp", smtp.checks)
        checks.nested("s3", s3.checks)
        checks.nested("backups", backups.checks)
        checks.nested("batch", batch.checks)
        checks.nested("rateLimits", rateLimits.checks)
        return checks.failures
    }

    fileprivate static func checkIP(_ text: String) -> FailureTree? {
        if text.isEmpty { return .failure(.required) }
        if IPList.isEntry(text) { return nil }
        // The code is misspelt in PocketBase.
        return .failure(FieldFailure("validation_invlaid_ip_or_subnet", "invalid IP or CIDR subnet"))
    }
}

extension Settings.Meta {
    fileprivate var checks: Checks {
        var checks = Checks()
        checks.length("accentColor", accentColor, 7...7)
        checks.format("accentColor", accentColor, .hexColor)
        checks.required("appName", appName)
        checks.length("appName", appName, 1...255)
        checks.required("appURL", appURL)
        checks.format("appURL", appURL, .url)
        checks.required("senderName", senderName)
        checks.length("senderName", senderName, 1...255)
        checks.required("senderAddress", senderAddress)
        checks.format("senderAddress", senderAddress, .email)
        return checks
    }
}

extension Settings.Logs {
    fileprivate var checks: Checks {
        var checks = Checks()
        checks.number("maxDataSize", maxDataSize, min: 0, max: Checks.largestSafeInteger)
        checks.number("maxDays", maxDays, min: 0, max: Checks.largestSafeInteger)
        checks.number("minLevel", minLevel, max: Checks.largestSafeInteger)
        return checks
    }
}

extension Settings.SMTP {
    fileprivate var checks: Checks {
        var checks = Checks()
        if enabled { checks.required("host", host) }
        checks.format("host", host, .host)
        if enabled { checks.required("port", port) }
        checks.number("port", port, min: 0)
        checks.choice("authMethod", authMethod, ["LOGIN", "PLAIN"])
        checks.format("localName", localName, .host)
        return checks
    }
}

extension Settings.S3 {
    fileprivate var checks: Checks {
        var checks = Checks()
        checks.format("endpoint", endpoint, .url)
        guard enabled else { return checks }
        checks.required("endpoint", endpoint)
        checks.required("bucket", bucket)
        checks.required("region", region)
        checks.required("accessKey", accessKey)
        checks.required("secret", secret)
        return checks
    }
}

extension Settings.Backups {
    fileprivate var checks: Checks {
        var checks = Checks()
        checks.nested("s3", s3.checks)
        if !cron.isEmpty {
            do throws(CronSchedule.Failure) {
                _ = try CronSchedule(cron)
            } catch {
                checks.fail("cron", FieldFailure("validation_invalid_cron", error.message))
            }
            checks.required("cronMaxKeep", cronMaxKeep)
        }
        checks.number("cronMaxKeep", cronMaxKeep, min: 1)
        return checks
    }
}

extension Settings.Batch {
    fileprivate var checks: Checks {
        var checks = Checks()
        if enabled {
            checks.required("maxRequests", maxRequests)
            checks.required("timeout", timeout)
        }
        checks.number("maxRequests", maxRequests, min: 0)
        checks.number("timeout", timeout, min: 0)
        checks.number("maxBodySize", maxBodySize, min: 0)
        return checks
    }
}

extension Settings.RateLimits {
    fileprivate var checks: Checks {
        var checks = Checks()
        checks.each("rules", rules) { rule in
            let failures = rule.checks.failures
            return failures.isEmpty ? nil : .nested(failures)
        }
        if enabled, rules.isEmpty { checks.fail("rules", .required) }
        if let conflict { checks.fail("rules", tree: conflict) }
        checks.each("excludedIPs", excludedIPs, Settings.checkIP)
        return checks
    }

    /// The first rule that an earlier one makes pointless: the same label for the same clients, or for all of them.
    private var conflict: FailureTree? {
        var keys: [String] = []
        for (index, rule) in rules.enumerated() {
            let key = "\(rule.label)@@\(rule.audience)"
            if keys.contains(where: { $0.hasPrefix(key) || key.hasPrefix($0) }) {
                let failure = FieldFailure(
                    "validation_conflicting_rate_limit_rule",
                    "Rate limit rule configuration with label \(rule.label) already exists or conflicts with another rule.",
                    params: ["label": .string(rule.label)])
                return .nested([String(index): .nested(["label": .failure(failure)])])
            }
            keys.append(key)
        }
        return nil
    }
}

extension Settings.RateLimitRule {
    fileprivate var checks: Checks {
        var checks = Checks()
        checks.required("label", label)
        checks.format("label", label, .rateLimitLabel)
        checks.required("maxRequests", maxRequests)
        checks.number("maxRequests", maxRequests, min: 1)
        checks.required("duration", duration)
        checks.number("duration", duration, min: 1)
        checks.choice("audience", audience, ["@guest", "@auth"])
        return checks
    }
}
