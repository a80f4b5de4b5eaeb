import JSON
import Testing

@testable import Engine

@Suite("Settings")
struct SettingsTests {
    private func patched(_ text: String, _ settings: Settings = .defaults) throws -> Settings {
        let object = try #require(try JSONParser.parse(text).objectValue)
        return try settings.applying(patch: object)
    }

    @Test("a new data folder gets the settings that PocketBase gives it")
    func defaults() {
        #expect(Settings.defaults.storedJSON.serialized() == DefaultSettings.json)
    }

    @Test("secrets are stored and never shown")
    func secrets() throws {
        let settings = try patched(
            #"{"smtp":{"password":"p1"},"s3":{"secret":"p2"},"backups":{"s3":{"secret":"p3"}}}"#)
        let shown = settings.publicJSON.serialized()
        let stored = settings.storedJSON.serialized()
        for secret in ["p1", "p2", "p3"] {
            #expect(!shown.contains("\"\(secret)\""))
            #expect(stored.contains("\"\(secret)\""))
        }
        #expect(!shown.contains("password") && !shown.contains("secret"))
        #expect(stored.contains(#""accessKey":"","secret":"p2","forcePathStyle":false"#))
        #expect(stored.contains(#""username":"","password":"p1","authMethod":"""#))
    }

    @Test("secrets that a change does not name stay, stars are a secret like any other, and empty ones go")
    func keepsSecrets() throws {
        var settings = try patched(#"{"smtp":{"password":"old"},"s3":{"secret":"old"}}"#)
        settings = try patched(#"{"smtp":{"host":"a"},"s3":{"bucket":"b"}}"#, settings)
        #expect(settings.smtp.password == "old" && settings.s3.secret == "old")
        settings = try patched(#"{"smtp":{"password":"******"},"s3":{"secret":""}}"#, settings)
        #expect(settings.smtp.password == "******" && settings.s3.secret == "")
        #expect(settings.storedJSON["s3"]?["secret"] == nil)
    }

    @Test("what is shown can be sent back and changes nothing")
    func roundTrip() throws {
        let settings = try patched(
            #"{"smtp":{"password":"old"},"trustedProxy":{"headers":["A"]},"batch":{"timeout":9}}"#)
        let shown = try #require(settings.publicJSON.objectValue)
        let stored = try #require(settings.storedJSON.objectValue)
        #expect(try settings.applying(patch: shown) == settings)
        #expect(try Settings.zero.applying(patch: stored) == settings)
    }

    @Test("objects are merged and lists replaced")
    func merges() throws {
        let settings = try patched(
            #"{"meta":{"appName":"x"},"rateLimits":{"rules":[{"label":"a","maxRequests":1}]},"superuserIPs":["::1"]}"#)
        #expect(settings.meta.appName == "x")
        #expect(settings.meta.appURL == "http://localhost:8090")
        #expect(settings.rateLimits.rules == [.init(label: "a", maxRequests: 1)])
        #expect(settings.superuserIPs == ["::1"])
    }

    @Test("null empties a setting, a part and a list")
    func nulls() throws {
        let settings = try patched(
            #"{"meta":null,"logs":{"maxDays":null,"logIP":null},"smtp":null,"rateLimits":{"rules":[null]},"superuserIPs":[null]}"#
        )
        #expect(settings.meta == .zero)
        #expect(settings.logs.maxDays == 0 && !settings.logs.logIP)
        #expect(settings.smtp.port == 0 && settings.smtp.host == "")
        #expect(settings.rateLimits.rules == [.init()])
        #expect(settings.superuserIPs == [""])
        #expect(try patched(#"{"rateLimits":{"rules":null,"excludedIPs":null}}"#).rateLimits.rules.isEmpty)
    }

    @Test(
        "names match in any case and without - and _",
        arguments: [#"{"META":{"appname":"x"}}"#, #"{"me_ta":{"app-Name":"x"}}"#])
    func names(_ text: String) throws { #expect(try patched(text).meta.appName == "x") }

    @Test("what is not known is left aside")
    func unknown() throws {
        #expect(try patched(#"{"x":1,"meta":{"y":[]},"_":1,"X":{"meta":2}}"#) == .defaults)
    }

    @Test(
        "values of another type are refused",
        arguments: [
            #"{"meta":{"appName":1}}"#, #"{"meta":[]}"#, #"{"meta":"x"}"#, #"{"logs":{"maxDays":"5"}}"#,
            #"{"logs":{"maxDays":1.5}}"#, #"{"logs":{"maxDays":9223372036854775808}}"#, #"{"logs":{"logIP":1}}"#,
            #"{"logs":{"logIP":"true"}}"#, #"{"superuserIPs":"x"}"#, #"{"superuserIPs":[1]}"#,
            #"{"rateLimits":{"rules":[1]}}"#, #"{"rateLimits":{"rules":[[]]}}"#, #"{"rateLimits":{"rules":{}}}"#,
            #"{"smtp":{"port":"25"}}"#, #"{"meta":{"hideControls":""}}"#, #"{"logs":{"maxDays":1,"maxdays":2}}"#,
            #"{"logs":{"maxDays":1,"max_days":2}}"#,
        ])
    func wrongTypes(_ text: String) throws {
        let error = #expect(throws: ServiceError.self) { try patched(text) }
        #expect(error?.status == 400)
        #expect(error?.message == "An error occurred while loading the submitted data.")
    }

    @Test("renaming a collection renames it in the labels of the rate limits")
    func renames() {
        var settings = Settings()
        settings.rateLimits.rules = [
            .init(label: "posts:create"), .init(label: "postsx:create"), .init(label: "posts"),
        ]
        let renamed = settings.renameCollection("posts", to: "articles")
        #expect(renamed)
        #expect(settings.rateLimits.rules.map(\.label) == ["articles:create", "postsx:create", "posts"])
        let again = settings.renameCollection("posts", to: "articles")
        #expect(!again)
    }
}
